//! The schemas of a task, and of the list of them.

use crate::wire::schemas::{ID_PATTERN, plain_list};
use serde_json::{Value, json};

/// A task, whole.
pub fn task() -> Value {
    let mut properties = head();
    if let (Value::Object(into), Value::Object(details), Value::Object(rest)) = (&mut properties, details(), rest()) {
        into.extend(details);
        into.extend(rest);
    }
    json!({"name": "task", "properties": properties})
}

/// Tasks as they are listed: without what went in and came out.
pub fn tasks() -> Value {
    let mut properties = head();
    if let (Value::Object(into), Value::Object(rest)) = (&mut properties, rest()) {
        into.extend(rest);
    }
    plain_list("tasks", &json!({"name": "task", "properties": without_message(properties)}))
}

fn without_message(mut properties: Value) -> Value {
    if let Value::Object(fields) = &mut properties {
        fields.shift_remove("message");
    }
    properties
}

fn head() -> Value {
    json!({
        "id": {"description": "An identifier for the task", "pattern": ID_PATTERN, "type": "string"},
        "type": {
            "description": "The type of task represented by this content",
            "enum": ["import", "api_image_import", "location_import"],
            "type": "string",
        },
        "status": {
            "description": "The current status of this task",
            "enum": ["pending", "processing", "success", "failure"],
            "type": "string",
        },
    })
}

fn details() -> Value {
    json!({
        "input": {"description": "The parameters required by task, JSON blob", "type": ["null", "object"]},
        "result": {"description": "The result of current task, JSON blob", "type": ["null", "object"]},
    })
}

fn rest() -> Value {
    json!({
        "owner": {"description": "An identifier for the owner of this task", "type": "string"},
        "message": {
            "description": "Human-readable informative message only included when appropriate (usually on failure)",
            "type": "string",
        },
        "image_id": {"description": "Image associated with the task", "type": "string"},
        "request_id": {"description": "Human-readable informative request-id", "type": "string"},
        "user_id": {"description": "User associated with the task", "type": "string"},
        "expires_at": {
            "description": "Datetime when this resource would be subject to removal",
            "type": ["null", "string"],
        },
        "created_at": {"description": "Datetime when this resource was created", "type": "string"},
        "updated_at": {"description": "Datetime when this resource was updated", "type": "string"},
        "self": {"readOnly": true, "type": "string"},
        "schema": {"readOnly": true, "type": "string"},
    })
}
