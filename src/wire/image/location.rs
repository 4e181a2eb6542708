//! The document of `POST /v2/images/{id}/locations`.

use crate::base::digest::Algorithm;
use crate::wire::{WireError, check};
use serde_json::{Map, Value};

/// Algorithms that the schema takes.
const ALGORITHMS: [Algorithm; 4] = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512, Algorithm::Md5];

/// The URL, and the hash of what is there with its algorithm. Keys that the schema does not name do not count.
///
/// # Errors
/// [`WireError`], in Glance's words.
pub fn parse_location(body: &[u8]) -> Result<(String, Option<(Algorithm, String)>), WireError> {
    let Value::Object(fields) = check::document(body)? else { return refused("It is not of type 'object'") };
    let url = match fields.get("url") {
        Some(Value::String(url)) => url.clone(),
        Some(other) => return refused(&format!("{} is not of type 'string'", check::show(other))),
        None => return refused("'url' is a required property"),
    };
    let hash = match fields.get("validation_data") {
        None => None,
        Some(Value::Object(given)) => hash(given)?,
        Some(other) => return refused(&format!("{} is not of type 'object'", check::show(other))),
    };
    Ok((url, hash))
}

fn hash(given: &Map<String, Value>) -> Result<Option<(Algorithm, String)>, WireError> {
    if let Some(name) = given.keys().find(|it| !["os_hash_algo", "os_hash_value"].contains(&it.as_str())) {
        let name: String = name.chars().take(80).collect();
        return refused(&format!("Additional properties are not allowed ('{name}' was unexpected)"));
    }
    let text = |name: &str, limit: usize| match given.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.chars().count() <= limit => Ok(Some(text.clone())),
        Some(Value::String(_)) => refused(&format!("'{name}' is too long")),
        Some(other) => refused(&format!("{} is not of type 'string'", check::show(other))),
    };
    let (algorithm, value) = (text("os_hash_algo", 64)?, text("os_hash_value", 128)?);
    let known = algorithm.as_deref().map(|name| ALGORITHMS.into_iter().find(|it| it.as_str() == name).ok_or(name));
    match (known, value) {
        (None, None) => Ok(None),
        (Some(Ok(algorithm)), Some(value)) => Ok(Some((algorithm, value))),
        (Some(Err(name)), _) => {
            let known: Vec<String> = ALGORITHMS.into_iter().map(|it| format!("'{it}'")).collect();
            refused(&format!("'{name}' is not one of [{}]", known.join(", ")))
        }
        (None, Some(_)) => refused("'os_hash_algo' is a dependency of 'os_hash_value'"),
        (Some(Ok(_)), None) => refused("'os_hash_value' is a dependency of 'os_hash_algo'"),
    }
}

fn refused<T>(reason: &str) -> Result<T, WireError> {
    Err(WireError::Schema { schema: "location", reason: reason.to_owned() })
}
