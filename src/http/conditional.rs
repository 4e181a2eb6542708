//! Preconditions of a request: `If-Match`, `If-None-Match` and `If-Range` (RFC 9110, section 13).

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Tags of one header that are read; more are passed over.
const MOST: usize = 1000;

/// What a header such as `If-Match` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    /// `*`: whatever there is.
    Any,
    /// These tags, without their quotes.
    These(Vec<Tag>),
}

/// An entity tag without its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// `W/"…"`: the same for a reader, not byte for byte.
    pub weak: bool,
    /// What stands between the quotes.
    pub text: String,
}

// === impl Tags ===

impl Tags {
    /// Those of the header; none when it is not there. What is malformed names nothing.
    pub fn of(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let lines: Vec<&HeaderValue> = headers.get_all(name).iter().collect();
        if lines.is_empty() {
            return None;
        }
        if lines.iter().any(|it| it.as_bytes().trim_ascii() == b"*") {
            return Some(Self::Any);
        }
        let tags = lines.into_iter().filter_map(|it| it.to_str().ok()).flat_map(list);
        Some(Self::These(tags.take(MOST).collect()))
    }

    /// Whether a state with this tag is meant, byte for byte (`If-Match`).
    pub fn match_strongly(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|it| !it.weak && it.text == tag),
        }
    }

    /// Whether a state with this tag is meant, as far as a reader sees (`If-None-Match`).
    pub fn match_weakly(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|it| it.text == tag),
        }
    }
}

/// Whether the client has this state already (`If-None-Match` of a GET).
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    Tags::of(headers, &header::IF_NONE_MATCH).is_some_and(|it| it.match_weakly(tag))
}

/// Whether this state is none of those that `If-Match` names.
pub fn is_other(headers: &HeaderMap, tag: &str) -> bool {
    Tags::of(headers, &header::IF_MATCH).is_some_and(|it| !it.match_strongly(tag))
}

/// Whether `Range` is to be heeded: without `If-Range`, or when that names this state. A date names none, as there are
/// no dates of last change.
pub fn may_be_part(headers: &HeaderMap, tag: Option<&str>) -> bool {
    let Some(line) = headers.get(header::IF_RANGE) else { return true };
    let named = line.to_str().ok().map(list).and_then(|mut it| it.next());
    matches!((named, tag), (Some(named), Some(tag)) if !named.weak && named.text == tag)
}

/// The value of `ETag`.
pub fn etag(tag: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("\"{tag}\"")).ok()
}

/// The tags of a list, up to what is malformed.
fn list(line: &str) -> impl Iterator<Item = Tag> + '_ {
    let mut rest = line;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let (text, after) = quoted.strip_prefix('"')?.split_once('"')?;
        rest = after;
        Some(Tag { weak, text: text.to_owned() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(lines: &[&str]) -> Option<Tags> {
        let headers = lines.iter().map(|it| (header::IF_MATCH, HeaderValue::from_str(it).unwrap())).collect();
        Tags::of(&headers, &header::IF_MATCH)
    }

    #[test]
    fn lists_are_read() {
        assert_eq!(named(&[]), None);
        assert_eq!(named(&[" * "]), Some(Tags::Any));
        let tags = named(&["\"a\", W/\"b\" ,,\"c,d\"", "\"\""]).unwrap();
        assert!(["a", "c,d", ""].iter().all(|it| tags.match_strongly(it)));
        assert!(!tags.match_strongly("b") && tags.match_weakly("b") && !tags.match_weakly("c"));
        for malformed in ["a", "\"a", "w/\"a\"", ""] {
            assert_eq!(named(&[malformed]), Some(Tags::These(Vec::new())), "{malformed}");
        }
    }

    #[test]
    fn parts_are_of_the_state_that_was_named() {
        let asked = |value: &str| HeaderMap::from_iter([(header::IF_RANGE, HeaderValue::from_str(value).unwrap())]);
        assert!(may_be_part(&HeaderMap::new(), None) && may_be_part(&asked("\"a\""), Some("a")));
        for other in ["\"b\"", "W/\"a\"", "Sat, 21 Nov 2026 14:00:00 GMT", "*"] {
            assert!(!may_be_part(&asked(other), Some("a")), "{other}");
        }
        assert!(!may_be_part(&asked("\"a\""), None));
    }
}
