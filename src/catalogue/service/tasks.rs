//! Tasks: those of an image for whoever sees it, all others for admins.

use crate::catalogue::{
    service::{Fault, Service, access::Access, records::seen},
    tables::tasks,
};
use crate::identity::Caller;
use crate::image::{
    ImageId,
    task::{Task, TaskQuery},
};

/// A page of a listing.
#[derive(Debug)]
pub struct TaskPage {
    /// In the order that was asked for, without their documents.
    pub tasks: Vec<Task>,
    /// The page is full, so there may be another one after the last task.
    pub more: bool,
}

impl Service {
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
                    found.ok_or_else(|| Fault::Invalid(unknown(it)))
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
        self.db()
            .read(move |tx| {
                let image = seen(tx, &access, &id)?;
                access.may("get_image", &image)?;
                Ok(tasks::of_image(tx, &id, now)?)
            })
            .await
    }
}

/// Whose tasks the caller sees; none for everybody's.
fn owner(access: &Access) -> Option<&str> {
    if access.caller.is_admin { None } else { Some(access.caller.project.as_deref().unwrap_or_default()) }
}

fn unknown(id: &str) -> String {
    format!("Could not find task {}", id.chars().take(80).collect::<String>())
}
