//! The right side of a check: text with `%(attribute)s` in it.

use crate::identity::policy::{Attributes, SyntaxError};
use std::{borrow::Cow, fmt};

/// Text that is completed from the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Template {
    /// Nothing to fill in.
    Fixed(String),
    /// Only an attribute.
    Key(String),
    /// Both; the last text stands behind the last key.
    Mixed(Vec<(String, String)>, String),
}

// === impl Template ===

impl Template {
    /// `at` is where `text` stands in its rule, in characters.
    pub(super) fn parse(text: &str, at: usize) -> Result<Self, SyntaxError> {
        let mut parts = Vec::new();
        let mut fixed = String::new();
        let mut rest = text;
        while let Some(found) = rest.find('%') {
            let position = at + text[..text.len() - rest.len() + found].chars().count();
            fixed.push_str(&rest[..found]);
            rest = &rest[found + 1..];
            if let Some(after) = rest.strip_prefix('%') {
                fixed.push('%');
                rest = after;
                continue;
            }
            let key = rest.strip_prefix('(').and_then(|it| it.split_once(')'));
            let Some((key, after)) = key.and_then(|(key, after)| Some((key, after.strip_prefix('s')?))) else {
                return Err(SyntaxError { at: position, what: "'%' is not followed by '(attribute)s'".to_owned() });
            };
            parts.push((std::mem::take(&mut fixed), key.to_owned()));
            rest = after;
        }
        fixed.push_str(rest);
        Ok(match parts.pop() {
            None => Self::Fixed(fixed),
            Some((before, key)) if parts.is_empty() && before.is_empty() && fixed.is_empty() => Self::Key(key),
            Some(last) => {
                parts.push(last);
                Self::Mixed(parts, fixed)
            }
        })
    }

    /// None when the target lacks an attribute.
    pub(super) fn fill<'a, T: Attributes + ?Sized>(&'a self, target: &'a T) -> Option<Cow<'a, str>> {
        match self {
            Self::Fixed(text) => Some(Cow::Borrowed(text)),
            Self::Key(key) => target.get(key).map(|it| it.into_text()),
            Self::Mixed(parts, last) => {
                let mut out = String::new();
                for (before, key) in parts {
                    out.push_str(before);
                    out.push_str(&target.get(key)?.text());
                }
                out.push_str(last);
                Some(Cow::Owned(out))
            }
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fixed = |text: &str| text.replace('%', "%%");
        match self {
            Self::Fixed(text) => f.write_str(&fixed(text)),
            Self::Key(key) => write!(f, "%({key})s"),
            Self::Mixed(parts, last) => {
                for (before, key) in parts {
                    write!(f, "{}%({key})s", fixed(before))?;
                }
                f.write_str(&fixed(last))
            }
        }
    }
}
