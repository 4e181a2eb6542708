//! What is said of metadata definitions.

use crate::image::metadef::{Association, Namespace, Object, Schema, Tag, Times};
use crate::wire::format_time;
use serde_json::{Map, Value, json};

/// What is told of a property's schema.
const FIELDS: [&str; 16] = [
    "type",
    "title",
    "description",
    "default",
    "minimum",
    "maximum",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "confidential",
    "items",
    "uniqueItems",
    "minItems",
    "maxItems",
    "additionalItems",
];

pub(super) fn namespace(it: &Namespace) -> Value {
    with_times(
        json!({
            "namespace": it.name,
            "namespace_old": it.name,
            "display_name": it.display_name,
            "protected": it.protected,
            "visibility": if it.is_public { "public" } else { "private" },
            "owner": it.owner,
            "description": it.description,
        }),
        Some(it.times),
    )
}

pub(super) fn object(namespace: &str, it: &Object) -> Value {
    let properties = it.properties.iter().flatten().map(|(name, schema)| {
        let mut said = Map::from_iter([("name".to_owned(), json!(name))]);
        // What is nothing for Python is not told (Glance's behaviour).
        said.extend(fields(|field| schema.get(field).filter(|it| is_something(it))));
        Value::Object(said)
    });
    let document = json!({
        "namespace": namespace,
        "name": it.name,
        "name_old": it.name,
        "properties": properties.collect::<Vec<_>>(),
        "required": it.required,
        "description": it.description,
    });
    with_times(document, it.times)
}

pub(super) fn property(namespace: &str, name: &str, schema: &Schema) -> Value {
    let said = ["namespace", "name", "name_old"].into_iter().zip([namespace, name, name]);
    let mut said: Map<String, Value> = said.map(|(field, text)| (field.to_owned(), json!(text))).collect();
    said.extend(fields(|field| schema.get(field)));
    said.insert("deleted".to_owned(), json!(false));
    said.insert("deleted_at".to_owned(), Value::Null);
    Value::Object(said)
}

pub(super) fn tag(namespace: &str, it: &Tag) -> Value {
    with_times(json!({"namespace": namespace, "name": it.name, "name_old": it.name}), Some(it.times))
}

pub(super) fn association(namespace: &str, it: &Association) -> Value {
    let document = json!({
        "namespace": namespace,
        "name": it.name,
        "name_old": it.name,
        "prefix": it.prefix,
        "properties_target": it.properties_target,
    });
    with_times(document, it.times)
}

fn fields<'a>(find: impl Fn(&str) -> Option<&'a Value>) -> impl Iterator<Item = (String, Value)> {
    let said = FIELDS.map(|field| (field.to_owned(), find(field).cloned().unwrap_or_default()));
    said.into_iter()
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(it) => *it,
        Value::Number(it) => it.as_f64() != Some(0.0),
        Value::String(it) => !it.is_empty(),
        Value::Array(it) => !it.is_empty(),
        Value::Object(it) => !it.is_empty(),
    }
}

fn with_times(mut document: Value, times: Option<Times>) -> Value {
    document["created_at"] = json!(times.map(|it| format_time(it.created)));
    document["updated_at"] = json!(times.map(|it| format_time(it.updated.unwrap_or(it.created))));
    document["deleted"] = json!(false);
    document["deleted_at"] = Value::Null;
    document
}
