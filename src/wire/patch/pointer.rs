//! JSON pointers, in the limited form that the API takes.

use crate::wire::WireError;

/// Characters of a pointer; the longest useful one names a property of 255.
const MAX_LENGTH: usize = 2048;

/// The tokens of `pointer`, unescaped, without white space around them.
pub(super) fn parse(pointer: &str) -> Result<Vec<String>, WireError> {
    let refused = |why: &str| {
        let shown: String = pointer.chars().take(80).collect();
        Err(WireError::Invalid(format!("Pointer `{shown}` {why}.")))
    };
    if pointer.len() > MAX_LENGTH {
        return refused("is too long");
    }
    let Some(rest) = pointer.strip_prefix('/') else { return refused("does not start with \"/\"") };
    let tokens: Vec<&str> = rest.trim_start_matches('/').split('/').collect();
    let inner = rest.strip_prefix('/').map_or(rest, |it| it);
    if adjacent_slashes(rest) {
        return refused("contains adjacent \"/\"");
    }
    if !rest.is_empty() && pointer.ends_with('/') {
        return refused("end with \"/\"");
    }
    if inner.trim() == "/" {
        return refused("does not contains valid token");
    }
    if bad_escape(pointer) {
        return refused("contains \"~\" not part of a recognized escape sequence");
    }
    Ok(tokens.into_iter().map(|it| it.replace("~1", "/").replace("~0", "~").trim().to_owned()).collect())
}

/// Two slashes with nothing but white space between them.
fn adjacent_slashes(text: &str) -> bool {
    let mut parts = text.split('/');
    let _before = parts.next();
    let inner: Vec<&str> = parts.collect();
    inner.split_last().is_some_and(|(_, inner)| inner.iter().any(|it| it.trim().is_empty()))
}

fn bad_escape(text: &str) -> bool {
    text.split('~').skip(1).any(|it| !it.starts_with(['0', '1']))
}
