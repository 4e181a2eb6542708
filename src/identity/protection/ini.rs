//! The INI form of Python's configparser, which these files are written for.
//!
//! It differs from the one of configuration files: section names are anything between the first `[` and the last `]`,
//! keys do not repeat, `:` stands for `=`, and `%` is special.

use crate::identity::protection::ProtectionError;

/// Sections in their order.
pub(super) type Sections = Vec<(String, Vec<(String, String)>)>;

/// Reads a whole file. Values of `[DEFAULT]` hold in every section.
pub(super) fn read(text: &str) -> Result<Sections, ProtectionError> {
    let mut sections: Sections = Vec::new();
    let mut defaults: Vec<(String, String)> = Vec::new();
    // None before the first section; Some(None) in [DEFAULT].
    let mut current: Option<Option<usize>> = None;
    let mut may_continue = false;
    for (index, raw) in text.lines().enumerate() {
        let failed = |what: String| ProtectionError::Line { line: index + 1, what };
        let line = raw.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let indented = raw.starts_with(char::is_whitespace);
        let options = match current {
            Some(Some(at)) => Some(&mut sections[at].1),
            Some(None) => Some(&mut defaults),
            None => None,
        };
        if indented && may_continue {
            if let Some((_, value)) = options.and_then(|it| it.last_mut()) {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some(name) = line.strip_prefix('[').and_then(|it| Some(&it[..it.rfind(']')?])) {
            may_continue = false;
            if name.is_empty() {
                return Err(failed("a section has no name".to_owned()));
            }
            current = Some(if name == "DEFAULT" {
                None
            } else if sections.iter().any(|(it, _)| it == name) {
                return Err(failed(format!("section [{name}] is there twice")));
            } else {
                sections.push((name.to_owned(), Vec::new()));
                Some(sections.len() - 1)
            });
        } else {
            let options = options.ok_or_else(|| failed("there is no section before it".to_owned()))?;
            let (key, value) = line
                .split_once(['=', ':'])
                .ok_or_else(|| failed("it is neither [section] nor key = value".to_owned()))?;
            let key = key.trim().to_lowercase();
            if options.iter().any(|(it, _)| *it == key) {
                return Err(failed(format!("'{key}' is there twice in its section")));
            }
            let value = value.trim().replace("%%", "\u{0}");
            if value.contains('%') {
                return Err(failed("'%' has a meaning in these files; write %%".to_owned()));
            }
            options.push((key, value.replace('\u{0}', "%")));
            may_continue = true;
        }
    }
    for (_, options) in &mut sections {
        for (key, value) in &defaults {
            if !options.iter().any(|(it, _)| it == key) {
                options.push((key.clone(), value.clone()));
            }
        }
    }
    Ok(sections)
}
