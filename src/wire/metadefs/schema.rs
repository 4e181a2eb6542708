//! A document against a schema: the part of JSON schema that the schemas of metadata definitions use.

use serde_json::Value;

/// Deepest that a document is looked into.
const MAX_DEPTH: usize = 32;

/// What is wrong with `value`, if anything.
pub(super) fn problem(schema: &Value, value: &Value) -> Option<String> {
    Check { root: schema }.at(schema, value, "", MAX_DEPTH).err()
}

struct Check<'a> {
    root: &'a Value,
}

impl Check<'_> {
    fn at(&self, schema: &Value, value: &Value, path: &str, depth: usize) -> Result<(), String> {
        let depth = depth.checked_sub(1).ok_or_else(|| "the document is too deep".to_owned())?;
        if let Some(target) = schema["$ref"].as_str() {
            let pointed = self.root.pointer(target.trim_start_matches('#')).unwrap_or(&Value::Null);
            return self.at(pointed, value, path, depth);
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.at(part, value, path, depth)?;
        }
        one(schema, value).map_err(|words| if path.is_empty() { words } else { format!("{words} (in '{path}')") })?;
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    let own = &schema["properties"][name];
                    let rule = if own.is_null() { &schema["additionalProperties"] } else { own };
                    if *rule == Value::Bool(false) {
                        return Err(format!(
                            "Additional properties are not allowed ({} was unexpected)",
                            show(&name.as_str().into())
                        ));
                    }
                    if rule.is_object() {
                        let path = if path.is_empty() { name.clone() } else { format!("{path}.{}", short(name)) };
                        self.at(rule, field, &path, depth)?;
                    }
                }
            }
            Value::Array(items) if schema["items"].is_object() => {
                for (index, item) in items.iter().enumerate() {
                    self.at(&schema["items"], item, &format!("{path}[{index}]"), depth)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The rules for the value itself, without what is in it.
fn one(schema: &Value, value: &Value) -> Result<(), String> {
    if let Some(kind) = schema["type"].as_str() {
        let is_kind = match kind {
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "object" => value.is_object(),
            "array" => value.is_array(),
            "number" => value.is_number(),
            "integer" => value.as_f64().is_some_and(|it| it.fract() == 0.0),
            _ => true,
        };
        if !is_kind {
            return Err(format!("{} is not of type '{kind}'", show(value)));
        }
    }
    if let Some(known) = schema["enum"].as_array().filter(|it| !it.contains(value)) {
        let known: Vec<String> = known.iter().map(show).collect();
        return Err(format!("{} is not one of [{}]", show(value), known.join(", ")));
    }
    let length = value.as_str().map_or(0, |it| it.chars().count() as u64);
    if schema["maxLength"].as_u64().is_some_and(|most| length > most) {
        return Err(format!("{} is too long", show(value)));
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_f64(), value.as_f64())
        && number < least
    {
        return Err(format!("{value} is less than the minimum of {least}"));
    }
    if let Value::Array(items) = value {
        if schema["uniqueItems"] == true && items.iter().enumerate().any(|(at, it)| items[..at].contains(it)) {
            return Err(format!("{} has non-unique elements", show(value)));
        }
        if schema["minItems"].as_u64().is_some_and(|least| (items.len() as u64) < least) {
            return Err(format!("{} should be non-empty", show(value)));
        }
    }
    if let Value::Object(fields) = value {
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        if let Some(name) = required.into_iter().find(|it| !fields.contains_key(*it)) {
            return Err(format!("'{name}' is a required property"));
        }
    }
    Ok(())
}

/// A value as Python prints it, shortened.
fn show(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => format!("'{}'", short(text)),
        other => short(&other.to_string()),
    }
}

fn short(text: &str) -> String {
    if text.chars().count() > 120 { text.chars().take(117).chain("...".chars()).collect() } else { text.to_owned() }
}
