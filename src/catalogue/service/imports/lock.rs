//! The property that says which task works on an image. Glance honours it, too, on the same database.

use crate::catalogue::{service::Fault, tables::tasks};
use crate::db::Tx;
use crate::image::{Image, task::Task};
use chrono::{DateTime, TimeDelta, Utc};

/// The property's name.
pub(in crate::catalogue::service) const LOCK: &str = "os_glance_import_task";

/// How long a task may say nothing before its image counts as free (Glance's rule).
const SILENCE: TimeDelta = TimeDelta::minutes(60);
const SILENCE_BEFORE_BEGIN: TimeDelta = TimeDelta::minutes(120);

/// An error while a task works on the image; else the task that should have, and is silent for too long.
///
/// # Errors
/// `Conflict`, and that of the database.
pub(in crate::catalogue::service) fn check(
    tx: &Tx<'_>,
    image: &Image,
    now: DateTime<Utc>,
) -> Result<Option<Task>, Fault> {
    let Some(Some(task)) = image.properties.get(LOCK) else { return Ok(None) };
    let found = tasks::find(tx, task, None)?;
    if found.as_ref().is_some_and(|it| is_at_work(it, now)) {
        return Err(Fault::Conflict("Image has active task".to_owned()));
    }
    Ok(found)
}

fn is_at_work(task: &Task, now: DateTime<Utc>) -> bool {
    match task.status.as_str() {
        "pending" => now - task.updated_at < SILENCE_BEFORE_BEGIN,
        "processing" => now - task.updated_at < SILENCE,
        _ => false,
    }
}
