//! How an import ends in the database: each way is one transaction, which its row goes with.

use super::{
    FAILED, IMPORTING,
    lock::LOCK,
    order::{Order, change_list},
    plugins::Changes,
    progress::copied,
    run::Failure,
};
use crate::base::chain;
use crate::catalogue::{
    service::{
        Fault, Service,
        change::check_storage,
        check,
        tasks::{Ended, ended},
    },
    tables::{images, imports, staged, tasks},
};
use crate::db::{DbError, Tx};
use crate::image::{Image, ImportMethod, Location, Status, shown_url, task::Task};
use crate::store::Ingested;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// What stands in stores.
pub(super) struct Stored {
    pub(super) places: Vec<Location>,
    /// The stores that did not take it.
    pub(super) failed: Vec<String>,
    pub(super) facts: Ingested,
    pub(super) virtual_size: Option<u64>,
    /// What else becomes of the image.
    pub(super) changes: Changes,
}

/// Who settles what, and when.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) row: imports::Import,
    pub(super) process: String,
    pub(super) now: DateTime<Utc>,
    kept_hours: u32,
}

impl Service {
    /// The data is there: the image is active, or has further locations.
    ///
    /// # Errors
    /// `TooLarge`: quotas; `Conflict`: its formats were changed meanwhile; that of the database.
    pub(super) async fn settle_done(
        &self,
        row: &imports::Import,
        order: &Order,
        image: &Image,
        stored: Stored,
    ) -> Result<(), Fault> {
        let (case, cipher, settings, gone) = (self.case(row), self.cipher().clone(), self.settings(), order.clone());
        let (order, judged, copies) = (order.clone(), image.clone(), order.method()? == ImportMethod::CopyImage);
        let places = stored.places.clone();
        let (size, failed, stored_in) = (stored.facts.size, stored.failed.clone(), stored.places.len());
        let done = self.db().write(move |tx| {
            if !imports::is_of(tx, &case.row, &case.process)? {
                return Ok(None);
            }
            let Some(before) = images::find(tx, &cipher, &case.row.image)? else { return Ok(None) };
            let mut after = Image { updated_at: case.now, ..before.clone() };
            if copies {
                learn(&mut after, &stored);
            } else {
                fill(&mut after, &judged, &stored)?;
                check::quotas(&settings, Some(&before), &after)?;
            }
            let new: Vec<_> = places.iter().filter(|it| !before.locations.contains(it)).cloned().collect();
            after.locations.extend(new);
            release(&mut after, &order, &stored.failed);
            check_storage(tx, &settings, &before, &after)?;
            if !images::update(tx, &cipher, &before, &after)? {
                return Ok(None);
            }
            let task = case.end(tx, Ok((json!({"image_id": case.row.image}), size)))?;
            Ok::<_, Fault>(Some((after, task)))
        });
        if let Some((image, task)) = done.await? {
            self.tell_done(&image, &gone, (stored_in, copies));
            self.tell_task(task.as_ref());
            tracing::info!(image.id = %row.image, size, failed = failed.join(","), "image imported");
            metrics::counter!("larder_catalogue_imports_total", "outcome" => "done").increment(1);
            self.unstage(&row.image).await;
        } else {
            self.settle_gone(row, &gone).await?;
        }
        Ok(())
    }

    /// The data does not get in: the image is queued again, or stays as it was.
    ///
    /// # Errors
    /// That of the database.
    pub(super) async fn settle_failed(
        &self,
        row: &imports::Import,
        order: &Order,
        failure: Failure,
    ) -> Result<(), Fault> {
        let (case, cipher, order) = (self.case(row), self.cipher().clone(), order.clone());
        tracing::warn!(image.id = %row.image, why = failure.why, "an import failed");
        // Before the image is queued: whoever stages it again then has another file.
        if order.in_place.is_none() && self.is_ours(row).await? {
            self.unstage(&row.image).await;
        }
        let settled = self.db().write::<_, DbError, _>(move |tx| {
            if !imports::is_of(tx, &case.row, &case.process)? {
                return Ok(None);
            }
            let mut image = None;
            if let Some(before) = images::find(tx, &cipher, &case.row.image)? {
                let mut after = Image { updated_at: case.now, ..before.clone() };
                if before.status == Status::Importing {
                    after.status = Status::Queued;
                    (after.size, after.virtual_size) = (None, None);
                }
                // Whichever is to blame, none of them has the data.
                release(&mut after, &order, order.ids());
                image = images::update(tx, &cipher, &before, &after)?.then_some(after);
            }
            let task = case.end(tx, Err(failure.why.clone()))?;
            Ok(Some((image, task)))
        });
        if let Some((image, task)) = settled.await? {
            if let Some(image) = image {
                self.notes().image_updated(&image);
            }
            self.tell_task(task.as_ref());
            metrics::counter!("larder_catalogue_imports_total", "outcome" => "failed").increment(1);
        }
        Ok(())
    }

    /// The data is in so many stores. Before its end, an import has its stores among the properties of the image.
    fn tell_done(&self, image: &Image, order: &Order, (stores, copies): (usize, bool)) {
        let mut during = image.clone();
        change_list(&mut during, IMPORTING, order.ids(), &[]);
        for _ in 0..stores {
            self.notes().uploaded(&during);
        }
        if !copies {
            self.notes().activated(&during);
        }
        self.notes().image_updated(image);
    }

    pub(super) fn tell_task(&self, task: Option<&Task>) {
        if let Some(task) = task {
            self.notes().task(task, self.now());
        }
    }

    /// The image is deleted. Nothing is done when another process has the import.
    ///
    /// # Errors
    /// That of the database.
    pub(super) async fn settle_gone(&self, row: &imports::Import, order: &Order) -> Result<(), Fault> {
        self.clear_import(row).await?;
        if let Some(data) = &order.in_place
            && self.is_ours(row).await?
        {
            self.discard_in_place(&row.image, data).await;
        }
        let why = "Image has been deleted, aborting import.".to_owned();
        self.settle_failed(row, order, why.into()).await
    }

    /// Removes the objects of an import of this process that are no locations. One that cannot be removed is in the way of
    /// nobody: whoever writes at its place removes it first.
    ///
    /// # Errors
    /// That of the database.
    pub(super) async fn clear_import(&self, row: &imports::Import) -> Result<(), Fault> {
        if !self.is_ours(row).await? {
            return Ok(());
        }
        let image = row.image.clone();
        let found = self.db().read::<_, DbError, _>(move |tx| imports::find(tx, &image)).await?;
        for url in found.map(|it| it.urls).unwrap_or_default() {
            if !self.is_location(&row.image, &url).await?
                && let Err(error) = self.discard(&url).await
            {
                tracing::warn!(image.id = %row.image, url = shown_url(&url).as_ref(), error = %chain(&error), "an import's object stays");
            }
        }
        Ok(())
    }

    /// Whether this process still has the import.
    pub(super) async fn is_ours(&self, row: &imports::Import) -> Result<bool, DbError> {
        let (row, process) = (row.clone(), self.process().id.clone());
        self.db().read(move |tx| imports::is_of(tx, &row, &process)).await
    }

    pub(super) fn case(&self, row: &imports::Import) -> Case {
        let kept_hours = self.settings().task_time_to_live;
        Case { row: row.clone(), process: self.process().id.clone(), now: self.now(), kept_hours }
    }
}

// === impl Case ===

impl Case {
    /// The task ends so, with what comes out and the bytes that were copied, and the row goes. The task, as it is then.
    pub(super) fn end(&self, tx: &Tx<'_>, outcome: Result<(Value, u64), String>) -> Result<Option<Task>, DbError> {
        let mut settled = None;
        if let Some(task) = tasks::find(tx, &self.row.task, None)? {
            let message = outcome.as_ref().map_or_else(Clone::clone, |it| copied(it.1));
            let outcome = outcome.map(|it| it.0);
            let ended = ended(task, Ended { outcome, now: self.now, kept_hours: self.kept_hours });
            let ended = Task { message: Some(message), ..ended };
            tasks::update(tx, &ended)?;
            settled = Some(ended);
        }
        staged::forget(tx, &self.row.image)?;
        imports::end(tx, &self.row, &self.process).map(|_| settled)
    }
}

/// `importing` → `active`, with what is known of the data.
///
/// # Errors
/// `Conflict`: it was judged by other formats than it has now.
fn fill(after: &mut Image, judged: &Image, stored: &Stored) -> Result<(), Fault> {
    let formats = |it: &Image| (it.disk_format.clone(), it.container_format.clone());
    if formats(after) != formats(judged) || after.status != Status::Importing {
        let words = format!("Image {} was changed while its data was imported; import it again.", after.id);
        return Err(Fault::Conflict(words));
    }
    let facts = &stored.facts;
    after.status = Status::Active;
    (after.size, after.virtual_size) = (Some(facts.size), stored.virtual_size);
    after.checksum = Some(facts.checksum.clone());
    (after.os_hash_algo, after.os_hash_value) = (Some(facts.hash_algo.to_string()), Some(facts.hash_value.clone()));
    stored.changes.apply(after);
    Ok(())
}

/// What was not known of the data of an image that is copied: its places were only told.
fn learn(after: &mut Image, stored: &Stored) {
    let facts = &stored.facts;
    if after.os_hash_value.as_deref().is_none_or(str::is_empty) {
        (after.os_hash_algo, after.os_hash_value) = (Some(facts.hash_algo.to_string()), Some(facts.hash_value.clone()));
        after.checksum = None;
    }
    after.checksum = after.checksum.take().or_else(|| Some(facts.checksum.clone()));
    after.size = after.size.or(Some(facts.size));
    after.virtual_size = after.virtual_size.or(stored.virtual_size);
}

/// The properties that an import leaves.
fn release(image: &mut Image, order: &Order, failed: &[String]) {
    image.properties.remove(LOCK);
    if order.in_place.is_some() {
        return;
    }
    change_list(image, IMPORTING, &[], order.ids());
    let failed: Vec<String> = failed.iter().filter(|it| order.ids().contains(it)).cloned().collect();
    change_list(image, FAILED, &failed, &[]);
}
