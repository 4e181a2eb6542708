//! The document of `POST /v2/images/{id}/import`.

use crate::wire::{WireError, check};
use serde_json::Value;

/// The method that is asked for, shortened.
///
/// # Errors
/// [`WireError`]: no method, or it has no name.
pub fn import_method(body: &[u8]) -> Result<String, WireError> {
    let document = check::document(body)?;
    let missing = |what: &str| WireError::Invalid(format!("Import request requires a '{what}' field."));
    let method = document.get("method").ok_or_else(|| missing("method"))?;
    match method.get("name").ok_or_else(|| missing("name"))? {
        Value::String(name) => Ok(name.chars().take(80).collect()),
        other => Ok(other.to_string().chars().take(80).collect()),
    }
}
