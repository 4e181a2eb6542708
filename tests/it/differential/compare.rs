//! What differs between two answers.

use super::pair::{GLANCE, LARDER};
use crate::api::Answer;
use serde_json::{Value, json};

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

/// One thing that differs: what, and the two sides of it.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    /// `status`, a header, `words` or a place in the body, such as `body.images[].name`.
    pub(super) what: String,
    /// The place with the numbers of items, such as `body.images[3].name`.
    pub(super) at: String,
    pub(super) larder: String,
    pub(super) glance: String,
}

/// Whether times in bodies have to be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    /// To the second: the servers share a clock, and each write was done within one second of it.
    Same,
    /// In their form only.
    Formed,
}

/// All that differs.
pub(super) fn differences(answers: &[Option<Answer>; 2], times: Times) -> Vec<Difference> {
    let [Some(larder), Some(glance)] = answers else {
        let show = |side: usize| answers[side].as_ref().map_or("no answer".to_owned(), |it| it.status.to_string());
        let same = answers.iter().all(Option::is_none);
        return if same { Vec::new() } else { vec![Difference::new("answer", show(LARDER), show(GLANCE))] };
    };
    let mut found = Vec::new();
    let mut note = |what: &str, larder: String, glance: String| {
        if larder != glance {
            found.push(Difference::new(what, larder, glance));
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
        bodies(larder, glance, times, &mut found);
    }
    found
}

// === impl Difference ===

impl Difference {
    /// One at this place, in which `[3]` is the fourth item of a list.
    fn new(at: &str, larder: String, glance: String) -> Self {
        let mut what = String::new();
        for part in at.split_inclusive(['[', ']']) {
            what.push_str(if part.trim_end_matches(']').parse::<usize>().is_ok() { "]" } else { part });
        }
        Self { what, at: at.to_owned(), larder, glance }
    }
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

fn bodies(larder: &Answer, glance: &Answer, times: Times, found: &mut Vec<Difference>) {
    if larder.status >= 400 {
        let (larder, glance) = (words(larder), words(glance));
        if larder != glance {
            found.push(Difference::new("words", larder, glance));
        }
        return;
    }
    match (document(larder), document(glance)) {
        (Some(larder), Some(glance)) => values("body", &even(larder, times), &even(glance, times), found),
        _ if larder.body == glance.body => {}
        _ => found.push(Difference::new("body", larder.text(), glance.text())),
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

fn values(at: &str, larder: &Value, glance: &Value, found: &mut Vec<Difference>) {
    if larder == glance {
        return;
    }
    match (larder, glance) {
        (Value::Object(larder), Value::Object(glance)) => {
            for name in larder.keys().chain(glance.keys().filter(|it| !larder.contains_key(*it))) {
                let at = format!("{at}.{name}");
                match (larder.get(name), glance.get(name)) {
                    (Some(larder), Some(glance)) => values(&at, larder, glance, found),
                    (larder, glance) => {
                        let show = |it: Option<&Value>| it.map_or("(absent)".to_owned(), Value::to_string);
                        found.push(Difference::new(&at, show(larder), show(glance)));
                    }
                }
            }
        }
        (Value::Array(larder), Value::Array(glance)) => {
            // Other items, or the same in another order, are told by their names and not field by field.
            let (one, other) = (names(larder), names(glance));
            if one != other {
                found.push(Difference::new(at, one.join(" "), other.join(" ")));
                return;
            }
            for (place, (larder, glance)) in larder.iter().zip(glance).enumerate() {
                values(&format!("{at}[{place}]"), larder, glance, found);
            }
        }
        _ => found.push(Difference::new(at, larder.to_string(), glance.to_string())),
    }
}

/// What tells items from one another; numbers where nothing does.
fn names(items: &[Value]) -> Vec<String> {
    let name = |it: &Value| ["id", "namespace", "name", "member_id"].iter().find_map(|key| it.get(key)).cloned();
    items.iter().enumerate().map(|(place, it)| name(it).unwrap_or(place.into()).to_string()).collect()
}

/// Without what differs by chance: the order of tags, associations and objects, which Glance leaves open, and times
/// that need not be the same.
fn even(value: Value, times: Times) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                let value = match (name.as_str(), value) {
                    ("created_at" | "updated_at" | "expires_at" | "deleted_at", Value::String(time))
                        if times == Times::Formed =>
                    {
                        time.replace(|it: char| it.is_ascii_digit(), "9").into()
                    }
                    ("tags", Value::Array(mut tags)) if tags.iter().all(Value::is_string) => {
                        tags.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
                        tags.into()
                    }
                    ("resource_type_associations" | "objects", Value::Array(mut items)) => {
                        items.sort_by_key(|it| it["name"].to_string());
                        even(Value::Array(items), times)
                    }
                    ("tasks", Value::Array(tasks)) if tasks.iter().all(|it| it["request_id"].is_string()) => {
                        let mut tasks: Vec<_> = tasks.into_iter().map(|it| even(outcome(it), times)).collect();
                        tasks.iter_mut().for_each(Value::sort_all_objects);
                        tasks.sort_by_key(Value::to_string);
                        tasks.into()
                    }
                    // Types stay when the namespace goes that they were made for, whenever that was.
                    ("resource_types", value) => even(value, Times::Formed),
                    (_, value) => even(value, times),
                };
                (name, value)
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(|it| even(it, times)).collect(),
        other => other,
    }
}

/// An image's task without what is each server's own: its id, its request, when it goes, and how much it says it has
/// copied, or why it has failed.
fn outcome(mut task: Value) -> Value {
    for name in ["id", "request_id"] {
        task[name] = json!("an id");
    }
    if let Some(time) = task["expires_at"].as_str() {
        task["expires_at"] = time.replace(|it: char| it.is_ascii_digit(), "9").into();
    }
    let words = task["message"].as_str().unwrap_or_default();
    if task["status"] == "failure" {
        task["message"] = json!(if words.is_empty() { "nothing" } else { "why" });
    } else if words.starts_with("Copied ") {
        task["message"] = json!("");
    }
    task
}
