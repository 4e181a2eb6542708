//! `$name`, `${name}`, `${group.name}` and `$$` in values, as Python's `string.Template` with oslo's names.

/// How deep values may name each other; a circle ends here.
const DEEPEST: usize = 16;

/// The value of an option by section and name, not yet substituted.
pub(super) type Lookup<'a> = dyn Fn(&str, &str) -> Option<String> + 'a;

/// A value names an option that is not there, or itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unresolved {
    #[error("${0} names no option (write $$ for a dollar sign)")]
    Unknown(String),
    #[error("${0} names itself in a circle")]
    Circle(String),
}

/// Puts the values of other options in: `$name` is looked for in `section`, then in `DEFAULT`.
pub(super) fn substitute(value: &str, section: &str, lookup: &Lookup<'_>) -> Result<String, Unresolved> {
    expand(value, section, lookup, 0)
}

fn expand(value: &str, section: &str, lookup: &Lookup<'_>, depth: usize) -> Result<String, Unresolved> {
    if !value.contains('$') {
        return Ok(value.to_owned());
    }
    // Oslo's friendlier way to write a plain dollar sign.
    let value = value.replace("\\$", "$$");
    let mut result = String::with_capacity(value.len());
    let mut rest = value.as_str();
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(tail) = after.strip_prefix('$') {
            result.push('$');
            rest = tail;
        } else if let Some((name, tail)) = named(after) {
            if depth == DEEPEST {
                return Err(Unresolved::Circle(name.to_owned()));
            }
            let (found, section) = find(name, section, lookup).ok_or_else(|| Unresolved::Unknown(name.to_owned()))?;
            result.push_str(&expand(&found, section, lookup, depth + 1)?);
            rest = tail;
        } else {
            result.push('$');
            rest = after;
        }
    }
    result.push_str(rest);
    Ok(result)
}

/// A name after the dollar sign, and what follows it.
fn named(after: &str) -> Option<(&str, &str)> {
    let (braced, text) = match after.strip_prefix('{') {
        Some(text) => (true, text),
        None => (false, after),
    };
    if !text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return None;
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let (name, tail) = text.split_at(text.find(|c| !is_part(c)).unwrap_or(text.len()));
    if braced { tail.strip_prefix('}').map(|tail| (name, tail)) } else { Some((name, tail)) }
}

/// The value that a name stands for, and the section that the names in it are looked for in.
fn find<'a>(name: &'a str, section: &'a str, lookup: &Lookup<'_>) -> Option<(String, &'a str)> {
    let (section, option) = name.split_once('.').unwrap_or((section, name));
    match lookup(section, option) {
        Some(value) => Some((value, section)),
        None => lookup("DEFAULT", name).map(|value| (value, "DEFAULT")),
    }
}
