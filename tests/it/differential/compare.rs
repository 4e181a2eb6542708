//! What differs between two answers.

use super::pair::{GLANCE, LARDER};
use crate::api::Answer;
use serde_json::Value;

/// Headers that a client may read.
const HEADERS: [&str; 13] = [
    "content-type",
    "location",
    "allow",
    "accept-patch",
    "www-authenticate",
    "content-md5",
    "content-range",
    "openstack-image-import-methods",
    "openstack-image-store-ids",
    "retry-after",
    "vary",
    "cache-control",
    "accept-ranges",
];

/// One thing that differs: what (`status`, a header, a place in the body), and the two sides of it.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    pub(super) what: String,
    pub(super) larder: String,
    pub(super) glance: String,
}

/// All that differs.
pub(super) fn differences(answers: &[Option<Answer>; 2]) -> Vec<Difference> {
    let [Some(larder), Some(glance)] = answers else {
        let show = |side: usize| answers[side].as_ref().map_or("no answer".to_owned(), |it| it.status.to_string());
        let same = answers.iter().all(Option::is_none);
        let one = Difference { what: "answer".to_owned(), larder: show(LARDER), glance: show(GLANCE) };
        return if same { Vec::new() } else { vec![one] };
    };
    let mut found = Vec::new();
    let mut note = |what: &str, larder: String, glance: String| {
        if larder != glance {
            found.push(Difference { what: what.to_owned(), larder, glance });
        }
    };
    note("status", larder.status.to_string(), glance.status.to_string());
    for name in HEADERS {
        note(name, header(larder, name), header(glance, name));
    }
    let id = |answer: &Answer| answer.header("x-openstack-request-id").map_or("absent", |_| "present").to_owned();
    note("x-openstack-request-id", id(larder), id(glance));
    // Two printers of JSON space it differently; refusals are compared by their words.
    if larder.status < 400 && (document(larder).is_none() || document(glance).is_none()) {
        note("content-length", header(larder, "content-length"), header(glance, "content-length"));
    }
    if larder.status == glance.status {
        bodies(larder, glance, &mut found);
    }
    found
}

fn header(answer: &Answer, name: &str) -> String {
    let value = answer.header(name).unwrap_or("(absent)");
    if name != "allow" {
        return value.to_owned();
    }
    let mut all: Vec<_> = value.split(',').map(str::trim).collect();
    all.sort_unstable();
    all.join(", ")
}

fn document(answer: &Answer) -> Option<Value> {
    serde_json::from_slice(&answer.body).ok()
}

fn bodies(larder: &Answer, glance: &Answer, found: &mut Vec<Difference>) {
    if larder.status >= 400 {
        let (larder, glance) = (words(larder), words(glance));
        if larder != glance {
            found.push(Difference { what: "words".to_owned(), larder, glance });
        }
        return;
    }
    match (document(larder), document(glance)) {
        (Some(larder), Some(glance)) => values("body", &even(larder), &even(glance), found),
        _ if larder.body == glance.body => {}
        _ => {
            let show = |it: &Answer| it.text();
            found.push(Difference { what: "body".to_owned(), larder: show(larder), glance: show(glance) });
        }
    }
}

/// What a refusal says, without the form that it has.
pub(super) fn words(answer: &Answer) -> String {
    let text = match document(answer) {
        Some(Value::Object(it)) => it.get("message").and_then(Value::as_str).unwrap_or_default().to_owned(),
        _ => answer.text(),
    };
    // WebOb breaks its lines with these.
    text.replace("<br />", " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn values(place: &str, larder: &Value, glance: &Value, found: &mut Vec<Difference>) {
    if larder == glance {
        return;
    }
    match (larder, glance) {
        (Value::Object(larder), Value::Object(glance)) => {
            for name in larder.keys().chain(glance.keys().filter(|it| !larder.contains_key(*it))) {
                let of = |it: &serde_json::Map<String, Value>| it.get(name).cloned();
                match (of(larder), of(glance)) {
                    (Some(a), Some(b)) => values(&format!("{place}.{name}"), &a, &b, found),
                    (a, b) => found.push(Difference {
                        what: format!("{place}.{name}"),
                        larder: a.map_or("(absent)".to_owned(), |it| it.to_string()),
                        glance: b.map_or("(absent)".to_owned(), |it| it.to_string()),
                    }),
                }
            }
        }
        (Value::Array(larder), Value::Array(glance)) if larder.len() == glance.len() => {
            for (a, b) in larder.iter().zip(glance) {
                values(&format!("{place}[]"), a, b, found);
            }
        }
        _ => found.push(Difference { what: place.to_owned(), larder: larder.to_string(), glance: glance.to_string() }),
    }
}

/// Without what differs by chance: digits of times, the order of tags, associations and objects, which Glance leaves open.
fn even(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                let value = match (name.as_str(), value) {
                    ("created_at" | "updated_at" | "expires_at" | "deleted_at", Value::String(time)) => {
                        time.replace(|it: char| it.is_ascii_digit(), "9").into()
                    }
                    ("tags", Value::Array(mut tags)) if tags.iter().all(Value::is_string) => {
                        tags.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
                        tags.into()
                    }
                    ("resource_type_associations" | "objects", Value::Array(mut items)) => {
                        items.sort_by_key(|it| it["name"].to_string());
                        even(Value::Array(items))
                    }
                    (_, value) => even(value),
                };
                (name, value)
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(even).collect(),
        other => other,
    }
}
