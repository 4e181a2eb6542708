//! Images that an import of somebody else left `importing`: of a Glance that died, on the same database.

use super::{FAILED, IMPORTING, lock, order::change_list};
use crate::base::chain;
use crate::catalogue::{
    service::{Fault, Service},
    tables::{images, imports, tasks},
};
use crate::image::{Image, ImageId, Status, task::Task};
use chrono::TimeDelta;

/// Images looked at in one pass.
const AT_ONCE: u64 = 100;

/// How long nothing has to happen to such an image (Glance's rule for its tasks).
const SILENCE: TimeDelta = TimeDelta::minutes(60);

impl Service {
    /// Makes images `queued` again that nobody imports any more.
    ///
    /// # Errors
    /// That of the database.
    pub(crate) async fn free_stuck(&self) -> Result<(), Fault> {
        let before = self.now() - SILENCE;
        let found = self.db().read(move |tx| imports::left(tx, before, AT_ONCE)).await;
        for id in found.map_err(|error: crate::db::DbError| Fault::from(error))? {
            match self.free(&id).await {
                Ok(Some(image)) => {
                    self.notes().image_updated(&image);
                    tracing::warn!(image.id = %id, "nobody imports the image any more: it is queued again");
                }
                // A task of it is at work, or it was deleted.
                Ok(None) | Err(Fault::Conflict(_)) => {}
                Err(error) => tracing::error!(image.id = %id, error = %chain(&error), "an image stays importing"),
            }
        }
        Ok(())
    }

    /// The image as it is then; none when it is not one of these.
    async fn free(&self, id: &ImageId) -> Result<Option<Image>, Fault> {
        let (id, cipher, now) = (id.clone(), self.cipher().clone(), self.now());
        let freed = self.db().write(move |tx| {
            let before = images::find(tx, &cipher, &id)?.filter(|it| it.status == Status::Importing);
            let Some(before) = before.filter(|it| it.updated_at < now - SILENCE) else { return Ok(None) };
            let task = lock::check(tx, &before, now)?;
            let mut after = Image { status: Status::Queued, size: None, updated_at: now, ..before.clone() };
            after.properties.remove(lock::LOCK);
            let waiting = before.properties.get(IMPORTING).cloned().flatten().unwrap_or_default();
            let waiting: Vec<String> = waiting.split(',').map(str::to_owned).collect();
            change_list(&mut after, IMPORTING, &[], &waiting);
            change_list(&mut after, FAILED, &waiting, &[]);
            if let Some(task) = task {
                let message = Some("The import broke off.".to_owned());
                tasks::update(tx, &Task { status: "failure".to_owned(), message, updated_at: now, ..task })?;
            }
            Ok::<_, Fault>(images::update(tx, &cipher, &before, &after)?.then_some(after))
        });
        freed.await
    }
}
