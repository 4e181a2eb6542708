//! Data that stays where it is: it is read once, for the hashes of the image (Glance's `location_import` with
//! `do_secure_hash`).
//!
//! Where the client told a hash, or the image is signed, the image is `importing` until that is found to be right, and has
//! no location before. Otherwise the image is active with the location, and gets its hashes when they are known.

use super::{
    lock::LOCK,
    order::{InPlace, Order},
    run::{Failure, refused},
};
use crate::base::{chain, digest::Algorithm};
use crate::catalogue::{
    service::{
        BoxError, Fault, Service,
        change::check_storage,
        signatures::{self, Kept},
        upload::judge,
    },
    tables::{images, imports},
};
use crate::db::{DbError, Tx};
use crate::image::{Image, ImageId, Status};
use crate::store::{self, Ingested, StoreError};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The pause before the first repetition; each further one is twice as long.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Enters the work for whichever process takes it.
///
/// # Errors
/// `Conflict`: something else is done with the image's data; that of the database.
pub(in crate::catalogue::service) fn enter(
    tx: &Tx<'_>,
    (image, task): (&ImageId, &str),
    (data, certificate): (InPlace, Option<Kept>),
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let row = imports::Import {
        image: image.clone(),
        task: task.to_owned(),
        staging: None,
        attempts: 0,
        order: Order::to_measure(data, certificate).to_json()?,
        urls: Vec::new(),
        created_at: now,
    };
    match imports::insert(tx, &row) {
        Err(DbError::Duplicate) => Err(Fault::Conflict("Image has active task".to_owned())),
        other => Ok(other?),
    }
}

impl Service {
    /// Reads the data, as often as `http_retries` says, and settles what comes of it.
    ///
    /// # Errors
    /// What has nothing to do with the data.
    pub(super) async fn measure_in_place(
        &self,
        (row, order): (&imports::Import, &Order),
        (data, image): (&InPlace, &Image),
        copied: &Arc<AtomicU64>,
    ) -> Result<Result<(), Failure>, Fault> {
        let signer = match data.signed {
            true => match self.signer_of_import((image, row), order).await {
                Ok(signer) => signer,
                Err(why) => return Ok(Err(why.into())),
            },
            false => None,
        };
        let also = signer.as_ref().map(|it| it.signature().hash());
        let retries = self.settings().http_retries;
        let mut pause = PAUSE;
        let mut tried = 0;
        let facts = loop {
            copied.store(0, Ordering::Relaxed);
            let error = match self.read_in_place((data, also), copied).await {
                Ok(facts) => break facts,
                Err(error) => error,
            };
            let why = chain(&*error).to_string();
            tracing::warn!(image.id = %row.image, error = why, "the data of a location cannot be hashed");
            let store_says = error.downcast_ref::<StoreError>();
            let hopeless = matches!(store_says, Some(StoreError::NotFound { .. } | StoreError::Foreign { .. }));
            if hopeless || tried >= retries {
                return Ok(Err(format!("Hash calculation failed for image {} data", row.image).into()));
            }
            tried += 1;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        };
        if let Some((_, wanted)) = &data.wanted
            && !facts.hash_value.eq_ignore_ascii_case(wanted)
        {
            self.discard_in_place(&row.image, data).await;
            let found = &facts.hash_value;
            let why = format!("os_hash_value: ({wanted}) not matched with actual os_hash_value: ({found})");
            return Ok(Err(why.into()));
        }
        if let Some(Err(fault)) = signer.map(|it| signatures::check(&row.image, &it, &facts)) {
            self.discard_in_place(&row.image, data).await;
            return refused(fault);
        }
        let virtual_size = match judge(&self.settings(), image, &facts.inspection) {
            Ok(size) => size,
            // An image that is active already stays as it is: Glance looks at the data of no location.
            Err(_) if !data.is_awaited() => None,
            Err(fault) => {
                self.discard_in_place(&row.image, data).await;
                return refused(fault);
            }
        };
        match self.settle_measured(row, data, (image, facts, virtual_size)).await {
            Ok(()) => Ok(Ok(())),
            Err(fault) => refused(fault),
        }
    }

    async fn read_in_place(
        &self,
        (data, also): (&InPlace, Option<Algorithm>),
        copied: &Arc<AtomicU64>,
    ) -> Result<Ingested, BoxError> {
        let url = self.cipher().open(data.sealed_url.clone());
        let told = data.wanted.as_ref().and_then(|it| it.0.parse::<Algorithm>().ok());
        let hash = told.unwrap_or(self.settings().hashing_algorithm);
        let limits = store::Limits { size_cap: u64::MAX, expected: Some(data.size), hash, also };
        let blocks = self.stores().of_url(&url)?.read(&url, 0..data.size).await?;
        let counter = Arc::clone(copied);
        let body = blocks.inspect_ok(move |it| {
            counter.fetch_add(it.len() as u64, Ordering::Relaxed);
        });
        Ok(store::measure(body.boxed(), limits).await?)
    }

    /// What was found out goes into the image's record, and the work is over.
    async fn settle_measured(
        &self,
        row: &imports::Import,
        data: &InPlace,
        (judged, facts, virtual_size): (&Image, Ingested, Option<u64>),
    ) -> Result<(), Fault> {
        let (case, cipher, settings) = (self.case(row), self.cipher().clone(), self.settings());
        let location = self.stores().located(self.cipher().open(data.sealed_url.clone()));
        let (data, judged, size) = (data.clone(), judged.clone(), facts.size);
        let done = self.db().write(move |tx| {
            if !imports::is_of(tx, &case.row, &case.process)? {
                return Ok(None);
            }
            let Some(before) = images::find(tx, &cipher, &case.row.image)? else { return Ok(None) };
            let mut after = Image { updated_at: case.now, ..before.clone() };
            if data.is_awaited() {
                let formats = |it: &Image| (it.disk_format.clone(), it.container_format.clone());
                if formats(&before) != formats(&judged) || before.status != Status::Importing {
                    let words = format!("Image {} was changed while its data was read; add it again.", before.id);
                    return Err(Fault::Conflict(words));
                }
                after.status = Status::Active;
                (after.size, after.virtual_size) = (Some(facts.size), virtual_size);
                after.locations.push(location.clone());
            }
            if after.os_hash_value.is_none() && after.locations.iter().any(|it| it.url == location.url) {
                after.checksum = Some(facts.checksum.clone());
                after.os_hash_algo = Some(facts.hash_algo.to_string());
                after.os_hash_value = Some(facts.hash_value.clone());
            }
            after.properties.remove(LOCK);
            check_storage(tx, &settings, &before, &after)?;
            if !images::update(tx, &cipher, &before, &after)? {
                return Ok(None);
            }
            let task = case.end(tx, Ok((json!({"image_id": case.row.image}), facts.size)))?;
            Ok::<_, Fault>(Some((after, task)))
        });
        if let Some((image, task)) = done.await? {
            self.notes().image_updated(&image);
            self.tell_task(task.as_ref());
            tracing::info!(image.id = %row.image, size, "the data of a location is hashed");
            return Ok(());
        }
        let order = Order::from_json(&row.order)?;
        self.settle_gone(row, &order).await
    }

    /// Removes data that was meant for an image which does not get it (Glance does so with the location). Only where the
    /// place is named after the image: nothing else can have it. What fails is logged.
    pub(super) async fn discard_in_place(&self, image: &ImageId, data: &InPlace) {
        let url = self.cipher().open(data.sealed_url.clone());
        if !data.is_awaited() || !url.contains(image.as_str()) || url.starts_with("http") {
            return;
        }
        if let Err(error) = self.discard(&url).await {
            tracing::warn!(image.id = %image, error = %chain(&error), "data that is no image's stays where it is");
        }
    }
}
