//! One difference, and what can be asked of it.

use super::Row;
use crate::{
    api::Answer,
    differential::{
        compare::{Difference, words},
        request::Request,
    },
};
use serde_json::Value;

/// One difference, and where it was seen.
pub(in crate::differential) struct Case<'a> {
    pub(in crate::differential) request: &'a Request,
    pub(in crate::differential) larder: Option<&'a Answer>,
    pub(in crate::differential) glance: Option<&'a Answer>,
    pub(in crate::differential) difference: &'a Difference,
}

// === impl Case ===

impl Case<'_> {
    pub(super) fn is_in(&self, row: &Row) -> bool {
        let path = if row.on.contains('?') { &self.request.path } else { self.path() };
        let (method, on) = row.on.split_once(' ').unwrap();
        let says = |answer: Option<&Answer>, (status, text): (u16, &str)| {
            answer.is_some_and(|it| it.status == status && like(&format!(" {} ", words(it)), &format!("*{text}*")))
        };
        // Of the same refusal a row tells the words only.
        (row.larder.0 != row.glance.0 || self.differs_in("words"))
            && (method == "*" || method == self.request.method)
            && like(path, on)
            && says(self.larder, row.larder)
            && says(self.glance, row.glance)
    }

    /// Larder's status, and one of these of Glance's.
    pub(super) fn statuses(&self, larder: u16, glance: &[u16]) -> bool {
        self.larder.is_some_and(|it| it.status == larder) && self.glance.is_some_and(|it| glance.contains(&it.status))
    }

    pub(super) fn both(&self, status: u16) -> bool {
        self.statuses(status, &[status])
    }

    pub(super) fn both_refuse(&self) -> bool {
        [self.larder, self.glance].iter().all(|it| it.is_some_and(|it| (400..500).contains(&it.status)))
    }

    pub(super) fn both_grant(&self) -> bool {
        [self.larder, self.glance].iter().all(|it| it.is_some_and(|it| it.status < 300))
    }

    /// Whether this is what differs: `status`, a header, `words`, a place in the body.
    pub(super) fn differs_in(&self, what: &str) -> bool {
        self.difference.what == what
    }

    pub(super) fn larder_says(&self, text: &str) -> bool {
        self.larder.is_some_and(|it| it.text().contains(text))
    }

    pub(super) fn glance_says(&self, text: &str) -> bool {
        self.glance.is_some_and(|it| it.text().contains(text))
    }

    pub(super) fn is(&self, method: &str, path: &str) -> bool {
        method == self.request.method && like(self.path(), path)
    }

    /// The path without its query.
    pub(super) fn path(&self) -> &str {
        self.request.path.split('?').next().unwrap_or_default()
    }

    pub(super) fn path_has(&self, text: &str) -> bool {
        self.path().to_ascii_lowercase().contains(text)
    }

    /// Names and values of the query, decoded.
    pub(super) fn parameters(&self) -> Vec<(String, String)> {
        let query = self.request.path.split_once('?').map_or("", |it| it.1);
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.request.headers.iter().find(|it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1.as_str())
    }

    pub(super) fn body(&self) -> String {
        String::from_utf8_lossy(&self.request.body).into_owned()
    }

    /// Both answers as JSON; null where that is none.
    pub(super) fn documents(&self) -> [Value; 2] {
        let parse = |it: Option<&Answer>| it.and_then(|it| serde_json::from_slice(&it.body).ok()).unwrap_or_default();
        [parse(self.larder), parse(self.glance)]
    }

    /// The images that Glance lists and Larder does not; none when it is not that.
    pub(super) fn more_of_glances(&self) -> Option<Vec<Value>> {
        let images = |it: Option<&Answer>| Some(it?.json()["images"].as_array()?.clone());
        let [larder, glance] = [images(self.larder)?, images(self.glance)?];
        let has = |all: &[Value], it: &Value| all.iter().any(|other| other["id"] == it["id"]);
        let (more, common): (Vec<_>, Vec<_>) = glance.into_iter().partition(|it| !has(&larder, it));
        let same = larder.len() == common.len() && larder.iter().zip(&common).all(|(a, b)| a["id"] == b["id"]);
        same.then_some(more)
    }
}

/// Whether `pattern` describes all of `text`; `*` stands for anything.
fn like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// Whether bytes beyond ASCII are in the path, as they are or encoded.
pub(in crate::differential) fn has_wide_path(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    percent_encoding::percent_decode_str(path).any(|it| !it.is_ascii())
}

#[test]
fn patterns_describe_whole_texts() {
    assert!(like("GET /v2/images/@1@/file", "GET /v2/images/*/file"));
    assert!(like("", "*") && like("a", "a") && like("ab", "a*b") && like("a-b", "*-*"));
    assert!(!like("GET /v2/images/@1@/files", "GET /v2/images/*/file"));
    assert!(!like("ab", "a") && !like("ab", "b") && !like("a", "a*a"));
}
