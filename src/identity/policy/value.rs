//! What rules compare: values as Python prints them.

use serde_json::Value as Json;
use std::{borrow::Cow, fmt::Write};

/// Named values: what a rule is asked about (its target), or who asks (the credentials).
pub trait Attributes {
    /// None when there is no such attribute, which is not the same as [`Value::None`].
    fn get(&self, key: &str) -> Option<Value<'_>>;

    /// All of them, as other servers are told.
    fn all(&self) -> Json;
}

/// Who asks.
pub trait Credentials: Attributes {
    /// `role` is in lower case.
    fn has_role(&self, role: &str) -> bool;
}

/// The value of an attribute.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// Python's None; rules write it `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text.
    Text(Cow<'a, str>),
    /// A list of texts.
    Texts(&'a [String]),
    /// Anything.
    Json(&'a Json),
}

// === impl Value ===

impl<'a> Value<'a> {
    /// As Python's `str()` prints it: rules compare these.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::None => "None".into(),
            Self::Bool(true) => "True".into(),
            Self::Bool(false) => "False".into(),
            Self::Int(number) => number.to_string().into(),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Texts(texts) => {
                let mut out = String::from("[");
                for (index, text) in texts.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { ", " });
                    quote(text, &mut out);
                }
                out.push(']');
                out.into()
            }
            Self::Json(Json::String(text)) => Cow::Borrowed(text),
            Self::Json(json) => {
                let mut out = String::new();
                repr(json, &mut out);
                out.into()
            }
        }
    }

    pub(super) fn json(&self) -> Json {
        match self {
            Self::None => Json::Null,
            Self::Bool(it) => Json::from(*it),
            Self::Int(it) => Json::from(*it),
            Self::Text(it) => Json::from(&**it),
            Self::Texts(it) => Json::from(*it),
            Self::Json(it) => (*it).clone(),
        }
    }

    /// As [`Self::text`], without borrowing from the value's holder.
    pub(super) fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            Self::Json(Json::String(text)) => Cow::Borrowed(text),
            other => Cow::Owned(other.text().into_owned()),
        }
    }

    /// Whether a rule's left side finds `expected` here: in the value, or in one element of a list, down `path`.
    pub(super) fn holds(&self, path: &[String], expected: &str) -> bool {
        match self {
            Self::Texts(texts) => path.is_empty() && texts.iter().any(|it| it == expected),
            Self::Json(Json::Array(items)) => items.iter().any(|it| is_at(it, path, expected)),
            Self::Json(json) => is_at(json, path, expected),
            other => path.is_empty() && other.text() == expected,
        }
    }
}

fn is_at(json: &Json, path: &[String], expected: &str) -> bool {
    let Some((key, rest)) = path.split_first() else { return Value::Json(json).text() == expected };
    json.as_object().and_then(|it| it.get(key)).is_some_and(|it| Value::Json(it).holds(rest, expected))
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<bool> for Value<'_> {
    fn from(it: bool) -> Self {
        Self::Bool(it)
    }
}

impl From<i64> for Value<'_> {
    fn from(it: i64) -> Self {
        Self::Int(it)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(it: Option<T>) -> Self {
        it.map_or(Value::None, Into::into)
    }
}

/// Python's `repr()` of what JSON can say.
fn repr(json: &Json, out: &mut String) {
    match json {
        Json::Null => out.push_str("None"),
        Json::Bool(it) => out.push_str(if *it { "True" } else { "False" }),
        // Writing to a String does not fail.
        Json::Number(it) => drop(write!(out, "{it}")),
        Json::String(it) => quote(it, out),
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                repr(item, out);
            }
            out.push(']');
        }
        Json::Object(map) => {
            out.push('{');
            for (index, (key, value)) in map.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                quote(key, out);
                out.push_str(": ");
                repr(value, out);
            }
            out.push('}');
        }
    }
}

/// Python's `repr()` of a text, for all that is printable.
fn quote(text: &str, out: &mut String) {
    let mark = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(mark);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == mark => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.push(mark);
}
