//! Tasks: those of an image for whoever sees it, all others for admins.

use crate::catalogue::{
    service::{Fault, Service, access::Access, records::seen},
    tables::tasks,
};
use crate::db::DbError;
use crate::identity::Caller;
use crate::image::{
    ImageId,
    task::{Task, TaskQuery},
};
use crate::store;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

/// Characters of a request's id that the table holds.
const MAX_REQUEST: usize = 64;

/// A page of a listing.
#[derive(Debug)]
pub struct TaskPage {
    /// In the order that was asked for, without their documents.
    pub tasks: Vec<Task>,
    /// The page is full, so there may be another one after the last task.
    pub more: bool,
}

/// Work that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTask {
    /// `import`, `api_image_import` or `location_import`.
    pub kind: String,
    /// What goes in: an object, or null.
    pub input: Value,
    /// The image that it works on, as the input names it.
    pub image: Option<String>,
    /// The request that asks for it.
    pub request: String,
}

/// How a task ended.
pub(super) struct Ended {
    /// What came out, or why it failed.
    pub(super) outcome: Result<Value, String>,
    pub(super) now: DateTime<Utc>,
    /// Hours from now on (`task_time_to_live`).
    pub(super) kept_hours: u32,
}

// === impl NewTask ===

impl NewTask {
    /// As it begins.
    pub(super) fn begin(self, caller: &Caller, now: DateTime<Utc>) -> Task {
        let bytes = rand::random();
        Task {
            id: ImageId::from_random(bytes).to_string(),
            kind: self.kind,
            status: "pending".to_owned(),
            owner: caller.project.clone().unwrap_or_default(),
            expires_at: None,
            created_at: now,
            updated_at: now,
            image: self.image,
            request: Some(self.request.chars().take(MAX_REQUEST).collect()),
            user: caller.user.clone(),
            input: (!self.input.is_null()).then(|| self.input.to_string()),
            result: None,
            message: Some(String::new()),
        }
    }
}

impl Service {
    /// Takes a task of the old kind, and ends it: this server has no method for it. The answer is the task as it began.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid`: an import from where this server may not go.
    pub async fn add_task(&self, caller: &Caller, new: NewTask) -> Result<Task, Fault> {
        if new.kind == "import" {
            let from = new.input.get("import_from").and_then(Value::as_str).unwrap_or_default();
            check_source(from)?;
            if !store::may_ask(&self.settings().import_filtering, from).await {
                let from: String = from.chars().take(300).collect();
                return Err(Fault::Invalid(format!("URI for legacy import task does not pass filtering: {from}")));
            }
        }
        let (access, now) = (self.access(caller), self.now());
        access.may_at_all("add_task")?;
        let why = missing(&new).unwrap_or_else(|| "This server has no import by tasks.".to_owned());
        let begun = new.begin(caller, now);
        let end = Ended { outcome: Err(why), now, kept_hours: self.settings().task_time_to_live };
        let ended = ended(begun.clone(), end);
        let told = ended.clone();
        self.db().write::<_, DbError, _>(move |tx| tasks::insert(tx, &ended)).await?;
        self.notes().task(&begun, now);
        self.notes().task(&Task { status: "processing".to_owned(), ..begun.clone() }, now);
        self.notes().task(&told, now);
        Ok(begun)
    }

    /// Whether the caller may use tasks: asked before anything in its request is looked at.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn may_use_tasks(&self, caller: &Caller) -> Result<(), Fault> {
        self.access(caller).may_at_all("tasks_api_access")
    }

    /// A page of tasks. Those of the caller's project that have expired are forgotten first (Glance's behaviour).
    ///
    /// # Errors
    /// `Forbidden`; `Invalid`: the marker is no task that the caller sees.
    pub async fn tasks(&self, caller: &Caller, query: TaskQuery) -> Result<TaskPage, Fault> {
        let (access, now) = (self.access(caller), self.now());
        access.may_at_all("tasks_api_access")?;
        access.may_at_all("get_tasks")?;
        if query.limit == 0 {
            return Ok(TaskPage { tasks: Vec::new(), more: false });
        }
        self.db()
            .write(move |tx| {
                let project = access.caller.project.as_deref();
                if let Some(project) = project {
                    tasks::forget_expired(tx, project, now)?;
                }
                let owner = owner(&access);
                let marker = query.marker.as_deref().map(|it| {
                    let found = tasks::find(tx, it, owner)?;
                    found.ok_or_else(|| Fault::Invalid(unknown_marker(it)))
                });
                let tasks = tasks::page(tx, owner, &query, marker.transpose()?.as_ref())?;
                Ok(TaskPage { more: tasks.len() == query.limit, tasks })
            })
            .await
    }

    /// One task, whole.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn task(&self, caller: &Caller, id: &str) -> Result<Task, Fault> {
        let (access, id) = (self.access(caller), id.to_owned());
        access.may_at_all("tasks_api_access")?;
        access.may_at_all("get_task")?;
        self.db()
            .read(move |tx| tasks::find(tx, &id, owner(&access))?.ok_or_else(|| Fault::NotFound(unknown(&id))))
            .await
    }

    /// The tasks of an image that the caller sees, whole.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn tasks_of(&self, caller: &Caller, id: &ImageId) -> Result<Vec<Task>, Fault> {
        let (access, id, now) = (self.access(caller), id.clone(), self.now());
        let judge = access.clone();
        self.read_judged(&judge, move |tx| {
            let image = seen(tx, &access, &id)?;
            access.may("get_image", &image)?;
            Ok(tasks::of_image(tx, owner(&access), &id, now)?)
        })
        .await
    }
}

pub(super) fn ended(task: Task, end: Ended) -> Task {
    let (status, result, message) = match end.outcome {
        Ok(result) => ("success", Some(result.to_string()), String::new()),
        Err(why) => ("failure", None, why),
    };
    let expires_at = Some(end.now + TimeDelta::hours(i64::from(end.kept_hours)));
    Task { status: status.to_owned(), result, message: Some(message), updated_at: end.now, expires_at, ..task }
}

/// What is missing from the input of a task, in Glance's words.
fn missing(new: &NewTask) -> Option<String> {
    let empty = new.input.as_object().is_none_or(serde_json::Map::is_empty);
    let wanted: &[&str] = match new.kind.as_str() {
        "import" => &["import_from", "import_from_format", "image_properties"],
        kind if empty => return Some(format!("Input to {kind} task is empty.")),
        "api_image_import" => &["image_id"],
        _ => &["image_id", "loc_url", "validation_data"],
    };
    let missing = wanted.iter().find(|it| new.input.get(**it).is_none())?;
    Some(format!("Input does not contain '{missing}' field"))
}

/// Where imports come from: web servers.
fn check_source(from: &str) -> Result<(), Fault> {
    let refused = |words: &str| Err(Fault::Invalid(words.to_owned()));
    if from.is_empty() {
        return refused("Invalid location: an import needs one.");
    }
    if from.starts_with("http://") || from.starts_with("https://") {
        return Ok(());
    }
    if from.starts_with("file:///") || from.starts_with("filesystem:///") {
        return refused("File based imports are not allowed. Please use a non-local source of image data.");
    }
    refused("The given uri is not valid. Please specify a valid uri from the following list of supported uri ['http']")
}

/// Whose tasks the caller sees; none for everybody's.
fn owner(access: &Access) -> Option<&str> {
    if access.caller.is_admin { None } else { Some(access.caller.project.as_deref().unwrap_or_default()) }
}

fn unknown_marker(id: &str) -> String {
    let plain = id.replace('-', "");
    if !id.is_empty() && (plain.len() != 32 || !plain.bytes().all(|it| it.is_ascii_hexdigit())) {
        return "Invalid marker format".to_owned();
    }
    format!("Task with the given id {} was not found", id.chars().take(80).collect::<String>())
}

fn unknown(id: &str) -> String {
    format!("Could not find task {}", id.chars().take(80).collect::<String>())
}
