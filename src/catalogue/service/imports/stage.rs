//! Staging: data that a client sends ahead of its import.

use crate::base::chain;
use crate::catalogue::{
    service::{BoxError, Fault, Service, Upload, records::seen},
    tables::{
        images::{self, Data},
        processes, staged, uploads,
    },
};
use crate::db::DbError;
use crate::identity::{Caller, quota::Resource};
use crate::image::{Image, ImageId, Status};
use crate::store::{self, StoreError};
use bytes::Bytes;
use futures_util::stream::BoxStream;

impl Service {
    /// Takes the data of a queued image into the staging folder: the image is `uploading` then, until it is imported.
    /// After an error it is queued and no byte is left. Once begun it goes on even if the caller stops waiting.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Conflict` (not queued), `Invalid` (another size than was said), `TooLarge`, `Gone`,
    /// `Unavailable`.
    pub async fn stage(&self, caller: &Caller, id: &ImageId, upload: Upload) -> Result<(), Fault> {
        let (service, caller, id) = (self.clone(), caller.clone(), id.clone());
        self.see_through(async move { service.stage_whole(&caller, &id, upload).await }).await
    }

    async fn stage_whole(&self, caller: &Caller, id: &ImageId, upload: Upload) -> Result<(), Fault> {
        let announced = upload.expected.unwrap_or(0) >> 20;
        self.enforce(caller, &[(Resource::ImageStageTotal, announced)]).await?;
        let Some(entered) = self.enter(id) else {
            self.show(caller, id).await?;
            return Err(Fault::Conflict(format!("Image {id} is being uploaded already.")));
        };
        let image = self.begin_stage(caller, id).await?;
        self.notes().image_updated(&image);
        let written = async {
            self.enforce(caller, &[(Resource::ImageCountUploading, 0)]).await?;
            self.write_staged(id, upload.expected, upload.body).await
        };
        let outcome = written.await;
        match &outcome {
            Ok(size) => tracing::info!(image.id = %id, size, "data staged"),
            Err(fault) => {
                tracing::warn!(image.id = %id, error = %chain(fault), "data could not be staged");
                self.unstage(id).await;
                if let Err(error) = self.undo(id.as_str(), Some(&[])).await {
                    // The entry stays, and the worker that looks for such entries tries again.
                    tracing::error!(image.id = %id, error = %chain(&error), "a failed staging is not undone yet");
                }
            }
        }
        drop(entered);
        outcome.map(drop)
    }

    /// `queued` → `uploading`.
    async fn begin_stage(&self, caller: &Caller, id: &ImageId) -> Result<Image, Fault> {
        let (access, id, now, process) = (self.access(caller), id.clone(), self.now(), self.process().clone());
        let judge = access.clone();
        self.write_judged(&judge, move |tx| {
            let image = seen(tx, &access, &id)?;
            access.may_change("modify_image", &image)?;
            if image.status != Status::Queued
                || !images::change_status(tx, &id, (&[Status::Queued], Status::Uploading), None, now)?
            {
                let from = image.status;
                return Err(Fault::Conflict(format!(
                    "Image status transition from {from} to uploading is not allowed"
                )));
            }
            processes::beat(tx, &process, now)?;
            match uploads::begin(tx, &id, &process.id, now) {
                Err(DbError::Duplicate) => Err(Fault::Conflict(format!(
                    "A broken upload of image {id} is being cleaned up; try again in a minute."
                ))),
                other => Ok(other.map(|()| Image { status: Status::Uploading, updated_at: now, ..image })?),
            }
        })
        .await
    }

    /// The size of what was written.
    async fn write_staged(
        &self,
        id: &ImageId,
        expected: Option<u64>,
        body: BoxStream<'static, Result<Bytes, BoxError>>,
    ) -> Result<u64, Fault> {
        let folder = self.staging().await?;
        // What an earlier attempt left; nobody else writes it while the image is entered as ours.
        match folder.store.remove(&folder.store.url(id)).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let settings = self.settings();
        let (size_cap, hash) = (settings.image_size_cap, settings.hashing_algorithm);
        let limits = store::Limits { size_cap, expected, hash, also: None };
        let (size, data) = store::keep(body, &*folder.store, id, limits).await?;
        data.commit().await?;
        let (image, process, now, name) = (id.clone(), self.process().id.clone(), self.now(), folder.id.clone());
        let (tell, cipher) = (self.notes().tell_of_images(), self.cipher().clone());
        let done = self.db().write::<_, DbError, _>(move |tx| {
            let data = Data { size: Some(size), ..Data::default() };
            let stays = (&[Status::Uploading][..], Status::Uploading);
            if !uploads::is_of(tx, &image, &process)? || !images::change_status(tx, &image, stays, Some(&data), now)? {
                return Ok((false, None));
            }
            staged::put(tx, &image, &name, now)?;
            let found = if tell { images::find(tx, &cipher, &image)? } else { None };
            Ok((uploads::end(tx, image.as_str(), &process)?, found))
        });
        let (done, found) = done.await?;
        if let Some(image) = found.filter(|_| done) {
            self.notes().image_updated(&image);
        }
        if done {
            return Ok(size);
        }
        let words = format!("Image {id} could not be found after staging. It may have been deleted meanwhile.");
        Err(Fault::Gone(words))
    }
}
