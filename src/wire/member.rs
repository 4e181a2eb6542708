//! The JSON of members.

use crate::image::Member;
use crate::wire::{WireError, check, format_time};
use serde_json::{Value, json};

/// A member, as it is shown.
pub fn to_json(member: &Member) -> Value {
    json!({
        "member_id": member.project,
        "image_id": member.image.as_str(),
        "status": member.status.as_str(),
        "created_at": format_time(member.created_at),
        "updated_at": format_time(member.updated_at),
        "schema": "/v2/schemas/member",
    })
}

/// All members of an image.
pub fn list_to_json(members: &[Member]) -> Value {
    json!({"members": members.iter().map(to_json).collect::<Vec<_>>(), "schema": "/v2/schemas/members"})
}

/// The project of `{"member": "…"}`.
///
/// # Errors
/// [`WireError`], in Glance's words.
pub fn parse_new(body: &[u8]) -> Result<String, WireError> {
    let invalid = |words: &str| Err(WireError::Invalid(words.to_owned()));
    let document = check::document(body)?;
    let Value::Object(fields) = document else {
        return invalid("Expected a member in the form: {\"member\": \"image_id\"}");
    };
    match fields.get("member") {
        None => invalid("Member to be added not specified"),
        Some(Value::String(project)) if !project.is_empty() => {
            check::text("member", &fields["member"], check::MAX_NAME)
        }
        Some(Value::String(_) | Value::Null) => invalid("Member can't be empty"),
        Some(_) => invalid("Expected a member in the form: {\"member\": \"image_id\"}"),
    }
}

/// The answer of `{"status": "…"}`; whether there is such an answer is asked after whether the caller may give one.
///
/// # Errors
/// [`WireError`], in Glance's words.
pub fn parse_answer(body: &[u8]) -> Result<String, WireError> {
    let invalid = |words: String| Err(WireError::Invalid(words));
    let document = check::document(body)?;
    let Value::Object(fields) = document else {
        return invalid("Expected a status in the form: {\"status\": \"status\"}".to_owned());
    };
    let Some(status) = fields.get("status") else { return invalid("Status not specified".to_owned()) };
    Ok(status.as_str().unwrap_or_default().to_owned())
}
