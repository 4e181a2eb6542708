//! The schema of one property, in the form that Glance keeps and shows it in.

use crate::image::metadef::{Properties, Schema};
use serde_json::{Map, Number, Value};

/// The fields in Glance's order, and what they hold.
const FIELDS: [(&str, Kind); 19] = [
    ("name", Kind::Text),
    ("type", Kind::Text),
    ("title", Kind::Text),
    ("description", Kind::Text),
    ("operators", Kind::Texts),
    ("default", Kind::Default),
    ("readonly", Kind::Truth),
    ("minimum", Kind::Whole),
    ("maximum", Kind::Whole),
    ("enum", Kind::Texts),
    ("pattern", Kind::Text),
    ("minLength", Kind::Whole),
    ("maxLength", Kind::Whole),
    ("confidential", Kind::Truth),
    ("items", Kind::Items),
    ("uniqueItems", Kind::Truth),
    ("minItems", Kind::Whole),
    ("maxItems", Kind::Whole),
    ("additionalItems", Kind::Truth),
];

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Texts,
    Truth,
    /// Fractions are cut off (Glance's behaviour).
    Whole,
    /// Any single value, kept as text (Glance's behaviour); a list is kept as nothing.
    Default,
    /// What is in an array: `type` and `enum`.
    Items,
}

/// The schema that a client sent.
///
/// # Errors
/// Which field is unknown, or holds something else than its kind, in words.
pub(super) fn strict(schema: &Map<String, Value>) -> Result<Schema, String> {
    if let Some(name) = schema.keys().find(|it| FIELDS.iter().all(|(known, _)| known != it)) {
        let name: String = name.chars().take(80).collect();
        return Err(format!("Unknown attribute '{name}' of a property."));
    }
    let mut found = Schema::new();
    for (name, kind) in FIELDS {
        if let Some(value) = schema.get(name) {
            let value =
                convert(kind, value).ok_or_else(|| format!("Invalid value for attribute '{name}' of a property."))?;
            if value.as_str().is_some_and(|it| it.chars().any(|letter| letter.len_utf8() > 3)) {
                let (first, rest) = name.split_at(1);
                return Err(format!("{}{rest} can't contain 4 byte unicode characters.", first.to_uppercase()));
            }
            if name == "default" && value.as_str().is_some_and(|it| !it.is_ascii()) {
                // Glance keeps it and can then show nothing of the whole namespace.
                return Err("The attribute 'default' of a property takes ASCII characters only.".to_owned());
            }
            found.insert(name.to_owned(), value);
        }
    }
    Ok(found)
}

/// All of these, by name.
pub(super) fn strict_all(properties: &Value) -> Result<Properties, String> {
    let all = properties.as_object().into_iter().flatten();
    all.map(|(name, it)| {
        let schema = it.as_object().ok_or_else(|| format!("Invalid property '{name}'."))?;
        Ok((name.clone(), strict(schema)?.into()))
    })
    .collect()
}

/// A schema out of the database, which may come from a file of any content: what does not fit is left out.
pub(super) fn lenient(schema: &Value) -> Schema {
    let schema = schema.as_object();
    let known = FIELDS.into_iter().filter_map(|(name, kind)| {
        let value = schema?.get(name)?;
        Some((name.to_owned(), convert(kind, value)?))
    });
    known.collect()
}

/// All of these, by name.
pub(super) fn lenient_all(properties: &Properties) -> Value {
    properties.iter().map(|(name, it)| (name.clone(), Value::Object(lenient(it)))).collect::<Properties>().into()
}

fn convert(kind: Kind, value: &Value) -> Option<Value> {
    match (kind, value) {
        (_, Value::Null) => Some(Value::Null),
        (Kind::Text, Value::String(_)) | (Kind::Truth, Value::Bool(_)) => Some(value.clone()),
        (Kind::Texts, Value::Array(items)) => items.iter().all(Value::is_string).then(|| value.clone()),
        (Kind::Whole, Value::Number(number)) => whole(number),
        (Kind::Whole, Value::String(text)) => text.trim().parse::<i64>().ok().map(Into::into),
        (Kind::Default, Value::Array(_) | Value::Object(_)) => Some(Value::Null),
        (Kind::Default, Value::Bool(it)) => Some(if *it { "True" } else { "False" }.into()),
        (Kind::Default, Value::Number(number)) => Some(number.to_string().into()),
        (Kind::Default, Value::String(_)) => Some(value.clone()),
        (Kind::Items, Value::Object(fields)) => items(fields),
        _ => None,
    }
}

fn whole(number: &Number) -> Option<Value> {
    if number.is_i64() || number.is_u64() {
        return Some(Value::Number(number.clone()));
    }
    let number = number.as_f64()?.trunc();
    // What a number of JSON holds exactly.
    #[expect(clippy::cast_possible_truncation, reason = "whole, and within the range")]
    (number.abs() <= 9_007_199_254_740_992.0).then(|| (number as i64).into())
}

fn items(fields: &Map<String, Value>) -> Option<Value> {
    if fields.keys().any(|it| it != "type" && it != "enum") {
        return None;
    }
    let mut found = Map::new();
    found.insert("type".to_owned(), convert(Kind::Text, fields.get("type")?)?);
    if let Some(values) = fields.get("enum") {
        found.insert("enum".to_owned(), convert(Kind::Texts, values)?);
    }
    Some(found.into())
}
