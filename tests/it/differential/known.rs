//! What Larder does differently on purpose, each with its reason. What is not here is a fault of Larder's.

use super::{compare::Difference, request::Request};
use crate::api::Answer;

/// A difference that stays.
pub(super) struct Known {
    /// A name, for the report.
    pub(super) name: &'static str,
    /// Why it stays.
    pub(super) reason: &'static str,
    /// Whether a difference is this one.
    pub(super) is: fn(&Case<'_>) -> bool,
}

/// One difference, and where it was seen.
pub(super) struct Case<'a> {
    pub(super) request: &'a Request,
    pub(super) larder: Option<&'a Answer>,
    pub(super) glance: Option<&'a Answer>,
    pub(super) difference: &'a Difference,
}

pub(super) const KNOWN: &[Known] = &[
    Known {
        name: "no-answer",
        reason: "Glance's Python server fails on the request without any answer (bytes that are no UTF-8, spaces in a range).",
        is: |case| case.glance.is_none() && case.larder.is_some_and(|it| it.status < 500),
    },
    Known {
        name: "unicode-in-paths",
        reason: "Glance takes the bytes of a path for Latin-1, so that names with other letters cannot be found, and tags are garbled. Larder takes UTF-8.",
        is: |case| has_wide_path(&case.request.path),
    },
    Known {
        name: "no-content-no-length",
        reason: "An answer with 204 has no Content-Length (RFC 9110, 8.6); Glance sends 'Content-Length: 0'.",
        is: |case| case.difference.what == "content-length" && case.larder.is_some_and(|it| it.status == 204),
    },
    Known {
        name: "glance-500",
        reason: "Glance fails with 500: a bug that nobody relies on. Larder says what is wrong.",
        is: |case| case.glance.is_some_and(|it| it.status == 500) && case.larder.is_some_and(|it| it.status < 500),
    },
    Known {
        name: "schema-words",
        reason: "The words after 'Provided object does not match schema' are Python's jsonschema's dump; Larder's are shorter.",
        is: |case| {
            let words = |it: Option<&Answer>| it.is_some_and(|it| it.status == 400 && it.text().contains("does not match schema"));
            words(case.larder) && words(case.glance) && ["body", "content-length", "body.message"].contains(&&*case.difference.what)
        },
    },
];

/// The known difference that this one is.
pub(super) fn find(case: &Case<'_>) -> Option<&'static Known> {
    KNOWN.iter().find(|it| (it.is)(case))
}

/// Whether bytes beyond ASCII are in the path, as they are or encoded.
fn has_wide_path(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    percent_encoding::percent_decode_str(path).any(|it| !it.is_ascii())
}
