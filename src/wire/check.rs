//! The rules for values that a client sends: the image schema, and what the database can hold.

use crate::image::{Attribute, ImageId, Status, Visibility};
use crate::wire::{Formats, WireError};
use serde_json::Value;
use std::collections::BTreeSet;

/// Characters of a name, a tag, an owner, a property's name.
pub(super) const MAX_NAME: usize = 255;

/// A document: an object or a list.
pub(super) fn document(body: &[u8]) -> Result<Value, WireError> {
    if body.is_empty() {
        return Err(WireError::NoBody);
    }
    match serde_json::from_slice(body) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => Ok(value),
        Ok(_) => Err(WireError::NotDocument),
        Err(_) => Err(WireError::Malformed),
    }
}

/// The base attribute `name` with `value`; none when there is no such attribute that a client may write.
pub(super) fn attribute(name: &str, value: &Value, formats: &Formats) -> Result<Option<Attribute>, WireError> {
    Ok(Some(match name {
        "name" => Attribute::Name(text_or_null(name, value, MAX_NAME)?),
        "visibility" => Attribute::Visibility(visibility(value)?),
        "owner" => Attribute::Owner(text_or_null(name, value, MAX_NAME)?),
        "protected" => Attribute::Protected(boolean(name, value)?),
        "os_hidden" => Attribute::Hidden(boolean(name, value)?),
        "min_disk" => Attribute::MinDisk(count(name, value)?),
        "min_ram" => Attribute::MinRam(count(name, value)?),
        "disk_format" => Attribute::DiskFormat(format(name, value, &formats.disk)?),
        "container_format" => Attribute::ContainerFormat(format(name, value, &formats.container)?),
        "tags" => Attribute::Tags(tags(value)?),
        _ => return Ok(None),
    }))
}

/// What the schema says of an attribute that only the server writes. That it may not be written is told later (Glance's
/// order).
pub(super) fn read_only(name: &str, value: &Value) -> Result<(), WireError> {
    match name {
        "size" | "virtual_size" => {
            let is_whole = value.as_f64().is_some_and(|it| it.fract() == 0.0);
            let fits = value.is_null() || is_whole;
            fits.then_some(()).ok_or_else(|| not_of_type(name, value, &["null", "integer"]))
        }
        "checksum" => text_or_null(name, value, 32).map(drop),
        "os_hash_algo" => text_or_null(name, value, 64).map(drop),
        "os_hash_value" => text_or_null(name, value, 128).map(drop),
        "status" => {
            let Value::String(text) = value else { return Err(not_of_type(name, value, &["string"])) };
            one_of(name, text, &Status::ALL.map(Status::as_str))
        }
        "created_at" | "updated_at" if !value.is_string() => Err(not_of_type(name, value, &["string"])),
        _ => Ok(()),
    }
}

/// A custom property's value: text, or what the schema of the site says of this name.
pub(super) fn property(name: &str, value: &Value, formats: &Formats) -> Result<Option<String>, WireError> {
    formats.site.check(name, value).map_err(WireError::image)?;
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(not_of_type(name, value, &["string"])),
    }
}

/// The length of a custom property's name.
pub(super) fn property_name(name: &str) -> Result<(), WireError> {
    if name.chars().count() > MAX_NAME {
        return Err(WireError::Invalid(format!("Custom property should not be greater than {MAX_NAME} characters.")));
    }
    Ok(())
}

/// Whether `tag` may be put on an image.
///
/// # Errors
/// [`WireError`]: too long, or characters that the database does not hold.
pub fn check_tag(tag: &str) -> Result<(), WireError> {
    if tag.chars().count() > MAX_NAME {
        let start: String = tag.chars().take(40).collect();
        return Err(WireError::image(format!("'{start}...' is too long (in 'tags': {MAX_NAME} characters)")));
    }
    if has_wide(tag) {
        return Err(WireError::Invalid("Param values can't contain 4 byte unicode.".to_owned()));
    }
    Ok(())
}

/// An image id.
pub(super) fn id(name: &str, value: &Value) -> Result<ImageId, WireError> {
    let Value::String(text) = value else { return Err(not_of_type(name, value, &["string"])) };
    text.parse().map_err(|_| {
        WireError::image(format!("{} does not match '{}' (in '{name}')", show(value), crate::wire::schemas::ID_PATTERN))
    })
}

/// Text that the schema bounds at `limit` characters.
pub(super) fn text(name: &str, value: &Value, limit: usize) -> Result<String, WireError> {
    let Value::String(text) = value else { return Err(not_of_type(name, value, &["string"])) };
    if text.chars().count() > limit {
        return Err(WireError::image(format!("{} is too long (in '{name}': {limit} characters)", show(value))));
    }
    Ok(text.clone())
}

/// `5 is not of type 'string'`
pub(super) fn not_of_type(name: &str, value: &Value, types: &[&str]) -> WireError {
    let types: Vec<String> = types.iter().map(|it| format!("'{it}'")).collect();
    WireError::image(format!("{} is not of type {} (in '{name}')", show(value), types.join(", ")))
}

fn text_or_null(name: &str, value: &Value, limit: usize) -> Result<Option<String>, WireError> {
    match value {
        Value::Null => Ok(None),
        Value::String(_) => text(name, value, limit).map(Some),
        _ => Err(not_of_type(name, value, &["null", "string"])),
    }
}

fn visibility(value: &Value) -> Result<Visibility, WireError> {
    let Value::String(text) = value else { return Err(not_of_type("visibility", value, &["string"])) };
    text.parse().or_else(|_| {
        let all: Vec<&str> = Visibility::ALL.into_iter().map(Visibility::as_str).collect();
        one_of("visibility", text, &all).map(|()| Visibility::default())
    })
}

fn boolean(name: &str, value: &Value) -> Result<bool, WireError> {
    value.as_bool().ok_or_else(|| not_of_type(name, value, &["boolean"]))
}

/// From 0 to 2^31 - 1; 1.0 is an integer for a JSON schema.
fn count(name: &str, value: &Value) -> Result<i32, WireError> {
    let number = match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 => float,
            _ => return Err(not_of_type(name, value, &["integer"])),
        },
        _ => return Err(not_of_type(name, value, &["integer"])),
    };
    if number < 0.0 {
        let words = format!("Invalid value '{value}' for parameter '{name}': Cannot be a negative value");
        return Err(WireError::Invalid(words));
    }
    if number > f64::from(i32::MAX) {
        return Err(WireError::Invalid(format!("'{name}' value out of range, must not exceed {}.", i32::MAX)));
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole, and within the range")]
    Ok(number as i32)
}

fn format(name: &str, value: &Value, known: &[String]) -> Result<Option<String>, WireError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if known.contains(text) => Ok(Some(text.clone())),
        Value::String(text) => Err(not_one_of(name, text, "None, ", known)),
        _ => Err(not_of_type(name, value, &["null", "string"])),
    }
}

fn tags(value: &Value) -> Result<BTreeSet<String>, WireError> {
    let Value::Array(items) = value else { return Err(not_of_type("tags", value, &["array"])) };
    items
        .iter()
        .map(|item| {
            let Value::String(tag) = item else { return Err(not_of_type("tags", item, &["string"])) };
            check_tag(tag).map(|()| tag.clone())
        })
        .collect()
}

fn one_of<S: AsRef<str>>(name: &str, text: &str, known: &[S]) -> Result<(), WireError> {
    if known.iter().any(|it| it.as_ref() == text) {
        return Ok(());
    }
    Err(not_one_of(name, text, "", known))
}

fn not_one_of<S: AsRef<str>>(name: &str, text: &str, null: &str, known: &[S]) -> WireError {
    let known: Vec<String> = known.iter().map(|it| format!("'{}'", it.as_ref())).collect();
    let value = Value::String(text.to_owned());
    WireError::image(format!("{} is not one of [{null}{}] (in '{name}')", show(&value), known.join(", ")))
}

/// Whether `text` has characters of four bytes in UTF-8.
fn has_wide(text: &str) -> bool {
    text.chars().any(|it| it.len_utf8() > 3)
}

/// A value for a message, shortened.
pub(in crate::wire) fn show(value: &Value) -> String {
    let text = match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    };
    if text.chars().count() > 120 { text.chars().take(117).chain("...".chars()).collect() } else { text }
}
