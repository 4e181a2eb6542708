//! One operation of a patch, as its dialect writes it.

use crate::wire::{
    WireError,
    patch::{Dialect, pointer},
};
use serde_json::{Map, Value};

/// An operation, read.
pub(super) struct Operation<'a> {
    pub(super) verb: Verb,
    pub(super) path: Vec<String>,
    /// Null for `remove`.
    pub(super) value: &'a Value,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Add,
    Remove,
    Replace,
}

const AVAILABLE: &str = "It must be one of the following: add, remove, replace.";

// === impl Verb ===

impl Verb {
    const ALL: [Self; 3] = [Self::Add, Self::Remove, Self::Replace];

    fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Replace => "replace",
        }
    }

    /// How many tokens the path of `root` has: only the list of locations is changed item by item.
    fn depth(self, root: &str) -> usize {
        if root == "locations" && self != Self::Replace { 2 } else { 1 }
    }
}

pub(super) fn parse(item: &Value, dialect: Dialect) -> Result<Operation<'_>, WireError> {
    let Value::Object(fields) = item else { return invalid("Operations must be JSON objects.") };
    let (verb, path) = match dialect {
        Dialect::V20 => verb_and_path_v20(fields)?,
        Dialect::V21 => verb_and_path_v21(fields)?,
    };
    let Value::String(path) = path else { return invalid("The path of an operation must be a JSON pointer.") };
    let path = pointer::parse(path)?;
    if path.len() != verb.depth(path.first().map_or("", String::as_str)) {
        let shown: String = path.join("/").chars().take(80).collect();
        return Err(WireError::Invalid(format!("Invalid JSON pointer for this resource: '/{shown}'")));
    }
    let value = match (verb, fields.get("value")) {
        (Verb::Remove, _) => &Value::Null,
        (_, Some(value)) => value,
        (_, None) => {
            let words = format!("Operation \"{}\" requires a member named \"value\".", verb.word());
            return Err(WireError::Invalid(words));
        }
    };
    Ok(Operation { verb, path, value })
}

fn verb_and_path_v21(fields: &Map<String, Value>) -> Result<(Verb, &Value), WireError> {
    let op = match fields.get("op") {
        None | Some(Value::Null) => {
            return Err(WireError::Invalid(format!("Unable to find `op` in JSON Schema change. {AVAILABLE}")));
        }
        Some(op) => op,
    };
    let Some(verb) = Verb::ALL.into_iter().find(|it| op.as_str() == Some(it.word())) else {
        let shown = op.as_str().map_or_else(|| op.to_string(), str::to_owned);
        let shown: String = shown.chars().take(40).collect();
        return Err(WireError::Invalid(format!("Invalid operation: `{shown}`. {AVAILABLE}")));
    };
    match fields.get("path") {
        Some(path) => Ok((verb, path)),
        None => invalid("Unable to find 'path' in JSON Schema change"),
    }
}

fn verb_and_path_v20(fields: &Map<String, Value>) -> Result<(Verb, &Value), WireError> {
    let mut found = Verb::ALL.into_iter().filter_map(|verb| Some((verb, fields.get(verb.word())?)));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => {
            invalid("Operation objects must contain only one member named \"add\", \"remove\", or \"replace\".")
        }
        (None, _) => {
            invalid("Operation objects must contain exactly one member named \"add\", \"remove\", or \"replace\".")
        }
    }
}

fn invalid<T>(words: &str) -> Result<T, WireError> {
    Err(WireError::Invalid(words.to_owned()))
}
