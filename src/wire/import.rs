//! The document of `POST /v2/images/{id}/import`.

use crate::wire::{WireError, check};
use serde_json::Value;

/// The method that is asked for, shortened.
///
/// # Errors
/// [`WireError`]: no method, or it has no name.
pub fn import_method(body: &[u8]) -> Result<String, WireError> {
    let document = check::document(body)?;
    let Value::Object(method) = &document["method"] else {
        return Err(WireError::Invalid("Required property 'method' is missing or no object.".to_owned()));
    };
    match method.get("name") {
        Some(Value::String(name)) => Ok(name.chars().take(80).collect()),
        _ => Err(WireError::Invalid("Required property 'name' of 'method' is missing or no string.".to_owned())),
    }
}
