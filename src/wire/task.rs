//! The JSON of tasks.

use crate::image::task::{STATES, TYPES, Task};
use crate::wire::{WireError, check, format_time, image::query_without_marker, schemas};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

/// A task, whole.
pub fn to_json(task: &Task) -> Value {
    let mut view = head(task);
    let mut put = |name: &str, value: Value| drop(view.insert(name.to_owned(), value));
    put("input", document(task.input.as_deref()));
    put("result", document(task.result.as_deref()));
    put("message", task.message.as_deref().into());
    for (name, value) in [("image_id", &task.image), ("request_id", &task.request), ("user_id", &task.user)] {
        if let Some(value) = value.as_deref().filter(|it| !it.is_empty()) {
            put(name, value.into());
        }
    }
    Value::Object(view)
}

/// The type and the input of a new task.
///
/// # Errors
/// [`WireError`], in Glance's words.
pub fn parse_new(body: &[u8]) -> Result<(String, Value), WireError> {
    let refused = |reason: String| Err(WireError::Schema { schema: "task", reason });
    let document = check::document(body)?;
    let Some((kind, input)) = document.get("type").zip(document.get("input")) else {
        let missing = if document.get("type").is_none() { "type" } else { "input" };
        return Err(WireError::Invalid(format!("Task '{missing}' is required")));
    };
    let Some(kind) = kind.as_str().filter(|it| TYPES.contains(it)) else {
        return refused(format!(
            "{} is not one of ['import', 'api_image_import', 'location_import']",
            check::show(kind)
        ));
    };
    if !(input.is_object() || input.is_null()) {
        return refused(format!("{} is not of type 'null', 'object'", check::show(input)));
    }
    let schema = schemas::task();
    for (name, value) in document.as_object().into_iter().flatten() {
        match name.as_str() {
            "type" | "input" => {}
            "id" if check::id("id", value).is_err() => {
                return refused(format!("{} does not match '{}'", check::show(value), schemas::ID_PATTERN));
            }
            "status" if !value.as_str().is_some_and(|it| STATES.contains(&it)) => {
                return refused(format!("{} is no status of a task", check::show(value)));
            }
            "result" if value.is_object() => {}
            "result" | "expires_at" if value.is_null() => {}
            name if schema["properties"].get(name).is_none() => {
                let name: String = name.chars().take(80).collect();
                return refused(format!("Additional properties are not allowed ('{name}' was unexpected)"));
            }
            _ if value.is_string() => {}
            _ => return refused(format!("{} is not of type 'string'", check::show(value))),
        }
    }
    Ok((kind.to_owned(), input.clone()))
}

/// The page that answers the parameters `params`; `more` adds the link to the next one.
pub fn list_to_json(tasks: &[Task], more: bool, params: &[(String, String)]) -> Value {
    let query = query_without_marker(params);
    let first = if query.is_empty() { "/v2/tasks".to_owned() } else { format!("/v2/tasks?{query}") };
    let list: Vec<Value> = tasks.iter().map(|it| Value::Object(head(it))).collect();
    let mut page = json!({"tasks": list, "first": first, "schema": "/v2/schemas/tasks"});
    if let (true, Some(last)) = (more, tasks.last()) {
        let and = if query.is_empty() { "" } else { "&" };
        page["next"] = format!("/v2/tasks?{query}{and}marker={}", last.id).into();
    }
    page
}

/// The tasks of an image, whose times have another form than all others.
pub fn of_image_to_json(tasks: &[Task]) -> Value {
    let one = |it: &Task| {
        json!({
            "id": it.id, "type": it.kind, "status": it.status, "owner": it.owner,
            "input": document(it.input.as_deref()), "result": document(it.result.as_deref()), "message": it.message,
            "image_id": it.image, "request_id": it.request, "user_id": it.user,
            "expires_at": it.expires_at.map(precise), "created_at": precise(it.created_at),
            "updated_at": precise(it.updated_at), "deleted_at": null, "deleted": false,
        })
    };
    json!({"tasks": tasks.iter().map(one).collect::<Vec<_>>()})
}

fn head(task: &Task) -> Map<String, Value> {
    let mut view = Map::new();
    let mut put = |name: &str, value: String| drop(view.insert(name.to_owned(), value.into()));
    put("id", task.id.clone());
    put("type", task.kind.clone());
    put("status", task.status.clone());
    put("owner", task.owner.clone());
    put("created_at", format_time(task.created_at));
    put("updated_at", format_time(task.updated_at));
    if let Some(at) = task.expires_at {
        put("expires_at", format_time(at));
    }
    put("self", format!("/v2/tasks/{}", task.id));
    put("schema", "/v2/schemas/task".to_owned());
    view
}

/// What a column of JSON holds; what is no JSON is shown as text.
fn document(text: Option<&str>) -> Value {
    text.map_or(Value::Null, |it| serde_json::from_str(it).unwrap_or_else(|_| it.into()))
}

/// With microseconds, and without a zone.
fn precise(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

#[test]
fn the_times_of_an_images_tasks_have_their_microseconds() {
    let at = DateTime::from_timestamp(1_795_000_000, 5_000).unwrap_or_default();
    assert_eq!(precise(at), "2026-11-18T11:06:40.000005");
    assert_eq!(precise(DateTime::UNIX_EPOCH), "1970-01-01T00:00:00.000000");
}
