//! Undoing an upload or a staging, and clearing the place of one.

use crate::base::chain;
use crate::catalogue::{
    service::{Fault, Service},
    tables::{
        images::{self, Data},
        locations, uploads,
    },
};
use crate::db::{DbError, Tx};
use crate::image::{ImageId, InvalidImageId, Status, shown_url};
use crate::store::Store;
use chrono::{DateTime, Utc};

impl Service {
    /// An object without an image would block the upload: what a crash of Glance left, or a database that was set back. So
    /// would, in part, what a dead writer left. Looks where data is going to be written alone: another store may be out of
    /// reach.
    pub(super) async fn remove_orphan(&self, id: &ImageId, targets: &[&dyn Store]) -> Result<(), Fault> {
        for store in targets {
            for url in store.urls(id) {
                if store.size(&url).await.is_ok() && !self.is_location(id, &url).await? {
                    tracing::warn!(image.id = %id, url = shown_url(&url).as_ref(), "removing data that belongs to no image, to make room for an upload");
                    store.remove(&url).await?;
                }
            }
            if let Err(error) = store.clear(id).await {
                tracing::warn!(store = store.name(), image.id = %id, error = %chain(&error), "what an interrupted upload left is not removed yet");
            }
        }
        Ok(())
    }

    pub(super) async fn is_location(&self, id: &ImageId, url: &str) -> Result<bool, DbError> {
        let (cipher, id, url) = (self.cipher().clone(), id.clone(), url.to_owned());
        self.db().read(move |tx| locations::is_location(tx, &cipher, &id, &url)).await
    }

    /// Undoes an upload of this process: first the object, then `saving` or `uploading` → `queued`, so that nobody writes the object
    /// anew while it is being removed. An upload that is over, or somebody else's, is left alone. `written` are the stores
    /// that it went to, where that is known: no other one is waited for.
    pub(crate) async fn undo(&self, image: &str, written: Option<&[&dyn Store]>) -> Result<(), Fault> {
        let (id, process) = (image.to_owned(), self.process().id.clone());
        let mine = self.db().read::<_, DbError, _>(move |tx| uploads::of(tx, &process)).await?;
        let Some(upload) = mine.into_iter().find(|it| it.image == id) else { return Ok(()) };
        let id: ImageId = id.parse().map_err(|error: InvalidImageId| Fault::internal(error))?;
        if let Some(url) = upload.url.as_deref()
            && !self.is_location(&id, url).await?
        {
            self.discard(url).await?;
        }
        self.stores().clear(&id, written).await;
        let (process, now) = (self.process().id.clone(), self.now());
        let (tell, cipher) = (self.notes().tell_of_images(), self.cipher().clone());
        let undone = self.db().write::<_, DbError, _>(move |tx| {
            let undone = undo_rows(tx, &id, &process, now)?;
            if tell && undone { images::find(tx, &cipher, &id) } else { Ok(None) }
        });
        if let Some(image) = undone.await? {
            self.notes().image_updated(&image);
        }
        Ok(())
    }

    /// Removes an object that may be gone already.
    pub(crate) async fn discard(&self, url: &str) -> Result<(), Fault> {
        Ok(self.stores().discard(url).await?)
    }
}

/// Whether the image is queued again by it.
fn undo_rows(tx: &Tx<'_>, id: &ImageId, process: &str, now: DateTime<Utc>) -> Result<bool, DbError> {
    let to_queued = (&[Status::Saving, Status::Uploading][..], Status::Queued);
    Ok(uploads::end(tx, id.as_str(), process)?
        && images::change_status(tx, id, to_queued, Some(&Data::default()), now)?)
}
