//! The document of `PATCH /v2/images/{id}`: two dialects of JSON patch.

mod operation;
mod pointer;
#[cfg(test)]
mod tests;

use crate::image::{Change, How, Location, NewLocation, Place, Validation, attribute};
use crate::wire::{Formats, WireError, check};
use operation::{Operation, Verb};
use serde_json::Value;

/// The media types of the two dialects, v2.0 and v2.1, as `Accept-Patch` names them.
pub const MEDIA_TYPES: [&str; 2] =
    ["application/openstack-images-v2.0-json-patch", "application/openstack-images-v2.1-json-patch"];

/// Operations of one document; with room for every property and tag of an image many times over.
const MAX_OPERATIONS: usize = 10_000;

/// How a dialect writes an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// `{"add": "/x", "value": v}`; `add` wants it to be new.
    V20,
    /// `{"op": "add", "path": "/x", "value": v}`; `add` overwrites.
    V21,
}

/// The changes that `body` asks for, in its order. `content_type` is the header's value, parameters and all.
///
/// # Errors
/// [`WireError`]
pub fn parse(content_type: &str, body: &[u8], formats: &Formats) -> Result<Vec<Change>, WireError> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let dialect = match MEDIA_TYPES.iter().position(|it| it.eq_ignore_ascii_case(media_type)) {
        Some(0) => Dialect::V20,
        Some(_) => Dialect::V21,
        None => return Err(WireError::PatchType),
    };
    let Value::Array(items) = check::document(body)? else {
        return Err(WireError::Invalid("Request body must be a JSON array of operation objects.".to_owned()));
    };
    if items.len() > MAX_OPERATIONS {
        return Err(WireError::Invalid(format!("A patch has at most {MAX_OPERATIONS} operations.")));
    }
    items.iter().map(|item| change(&operation::parse(item, dialect)?, dialect, formats)).collect()
}

fn change(operation: &Operation<'_>, dialect: Dialect, formats: &Formats) -> Result<Change, WireError> {
    let root = operation.path.first().map_or("", String::as_str);
    if attribute::READ_ONLY.contains(&root) {
        return Err(WireError::ReadOnly(root.to_owned()));
    }
    if attribute::is_reserved(root) {
        return Err(WireError::Reserved(root.to_owned()));
    }
    if root == "locations" {
        return locations(operation);
    }
    let how = match (operation.verb, dialect) {
        (Verb::Remove, _) => return Ok(Change::Remove(root.to_owned())),
        (Verb::Add, Dialect::V21) => How::Put,
        (Verb::Add, Dialect::V20) => How::AddNew,
        (Verb::Replace, _) => How::Replace,
    };
    Ok(match check::attribute(root, operation.value, formats)? {
        Some(attribute) => Change::Set(attribute, how),
        None => {
            Change::SetProperty { name: root.to_owned(), value: check::property(root, operation.value, formats)?, how }
        }
    })
}

fn locations(operation: &Operation<'_>) -> Result<Change, WireError> {
    match operation.verb {
        Verb::Add => Ok(Change::AddLocation { at: place(operation), location: location(operation.value)? }),
        Verb::Remove => Ok(Change::RemoveLocation(place(operation))),
        Verb::Replace => listed(operation.value).map(Change::ReplaceLocations),
    }
}

/// A list of locations.
pub(super) fn listed(value: &Value) -> Result<Vec<NewLocation>, WireError> {
    let Value::Array(items) = value else { return Err(check::not_of_type("locations", value, &["array"])) };
    items.iter().map(location).collect()
}

/// The place that `/locations/<n>` names, from 0.
fn place(operation: &Operation<'_>) -> Place {
    match operation.path.get(1).map_or("", String::as_str) {
        "-" => Place::Last,
        // What no machine counts to is behind the end of every list.
        digits if !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit()) => {
            Place::Index(digits.parse().unwrap_or(usize::MAX))
        }
        _ => Place::Nowhere,
    }
}

fn location(value: &Value) -> Result<NewLocation, WireError> {
    let Value::Object(fields) = value else { return Err(check::not_of_type("locations", value, &["object"])) };
    let required = |name: &str| {
        fields.get(name).ok_or_else(|| WireError::image(format!("'{name}' is a required property (in 'locations')")))
    };
    let url = check::text("url", required("url")?, check::MAX_NAME)?;
    let metadata = required("metadata")?;
    let Value::Object(metadata) = metadata else {
        return Err(check::not_of_type("metadata", metadata, &["object"]));
    };
    let validation = fields.get("validation_data").map(validation).transpose()?;
    Ok(NewLocation { location: Location { url, metadata: metadata.clone() }, validation })
}

fn validation(value: &Value) -> Result<Validation, WireError> {
    let Value::Object(fields) = value else { return Err(check::not_of_type("validation_data", value, &["object"])) };
    if let Some(name) = fields.keys().find(|it| !["checksum", "os_hash_algo", "os_hash_value"].contains(&it.as_str())) {
        let name: String = name.chars().take(80).collect();
        let words = format!("Additional properties are not allowed ('{name}' was unexpected)");
        return Err(WireError::image(words));
    }
    let required = |name: &str, limit: usize| match fields.get(name) {
        Some(value) => check::text(name, value, limit),
        None => Err(WireError::image(format!("'{name}' is a required property (in 'validation_data')"))),
    };
    let checksum = fields.get("checksum").map(|it| check::text("checksum", it, 32)).transpose()?;
    if let Some(short) = checksum.as_ref().filter(|it| it.chars().count() < 32) {
        return Err(WireError::image(format!("'{short}' is too short (in 'checksum': 32 characters)")));
    }
    Ok(Validation {
        checksum,
        os_hash_algo: required("os_hash_algo", 64)?,
        os_hash_value: required("os_hash_value", 128)?,
    })
}
