//! One file of oslo.config's INI: its lines are checked as oslo checks them, then read by `rust-ini`.

use super::ConfigError;
use ini::{Ini, ParseOption};
use std::{
    fs, io,
    io::Read,
    path::{Path, PathBuf},
};

/// One `key = value` of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) section: String,
    pub(super) key: String,
    pub(super) value: String,
}

/// The longest file that is read; real ones have some thousand lines.
const LONGEST_FILE: u64 = 16 << 20;

/// Reads a file; none when it is not there.
pub(super) fn read(path: &Path) -> Result<Option<Vec<Assignment>>, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = String::new();
    file.take(LONGEST_FILE + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > LONGEST_FILE {
        return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 16 MiB")));
    }
    parse(&text, path).map(Some)
}

/// Reads the text of a file; `path` is for messages only.
pub(super) fn parse(text: &str, path: &Path) -> Result<Vec<Assignment>, ConfigError> {
    let text = checked(text, path)?;
    let options = ParseOption {
        enabled_quote: false,
        enabled_escape: false,
        enabled_indented_mutiline_value: true,
        enabled_preserve_key_leading_whitespace: false,
    };
    let ini = Ini::load_from_str_opt(&text, options).map_err(|error| ConfigError::Parse {
        path: path.to_owned(),
        line: error.line,
        what: error.msg.into_owned(),
    })?;
    let mut all = Vec::new();
    for (section, properties) in &ini {
        for (key, value) in properties {
            let section = section.unwrap_or("DEFAULT").to_owned();
            all.push(Assignment { section, key: key.to_owned(), value: unquoted(value).to_owned() });
        }
    }
    Ok(all)
}

/// The same text with comments blanked, after oslo's checks of each line (oslo_config/iniparser.py).
fn checked(text: &str, path: &Path) -> Result<String, ConfigError> {
    let mut clean = String::with_capacity(text.len() + 16);
    let (mut in_section, mut in_value) = (false, false);
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim_end();
        let wrong =
            |what: &str| ConfigError::Parse { path: PathBuf::from(path), line: index + 1, what: what.to_owned() };
        if line.is_empty() || line.starts_with(['#', ';']) {
            in_value = false;
            clean.push('\n');
            continue;
        }
        if line.starts_with([' ', '\t']) {
            if !in_value {
                return Err(wrong("an indented line continues a value, and there is none before it"));
            }
        } else if let Some(rest) = line.strip_prefix('[') {
            match rest.strip_suffix(']') {
                None => return Err(wrong("a section must end with ]")),
                Some("") => return Err(wrong("a section needs a name")),
                Some(_) => (in_section, in_value) = (true, false),
            }
        } else {
            match line.find(['=', ':']) {
                None => return Err(wrong("neither a section, nor 'key = value', nor a comment")),
                Some(0) => return Err(wrong("there is no key before '='")),
                Some(_) if !in_section => return Err(wrong("an option must stand in a section, such as [DEFAULT]")),
                Some(_) => in_value = true,
            }
        }
        clean.push_str(line);
        // A backslash at the end of a line would join it with the next one in rust-ini; it means nothing to oslo.
        clean.push_str(if line.ends_with('\\') { " \n" } else { "\n" });
    }
    Ok(clean)
}

/// One pair of quotes around the whole value is taken off, once.
fn unquoted(value: &str) -> &str {
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) if value.ends_with(quote) && !value.contains('\n') => {
            value.get(1..value.len().max(2) - 1).unwrap_or("")
        }
        _ => value,
    }
}
