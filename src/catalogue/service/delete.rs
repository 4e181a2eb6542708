//! Deleting.

use crate::base::chain;
use crate::catalogue::{
    service::{Expected, Fault, Service, check, records::seen},
    tables::{images, locations},
};
use crate::db::DbError;
use crate::identity::Caller;
use crate::image::{Image, ImageId, Status};
use crate::store::StoreError;

/// Leftovers looked at in one transaction.
const PAGE: u64 = 100;

impl Service {
    /// Deletes an image and its data. The row goes first: from then on nobody finds the image; data that cannot be
    /// removed now is removed later. With `delayed_delete`, data of an active image is left to the scrubber.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden` (protected, too), `Invalid` (deactivated, with `delayed_delete`).
    pub async fn delete(&self, caller: &Caller, id: &ImageId) -> Result<(), Fault> {
        self.delete_if(caller, id, Expected::default()).await
    }

    /// As [`Self::delete`], if the image is as expected.
    ///
    /// # Errors
    /// `Stale`, and those of [`Self::delete`].
    pub async fn delete_if(&self, caller: &Caller, id: &ImageId, expected: Expected) -> Result<(), Fault> {
        let (service, caller, id) = (self.clone(), caller.clone(), id.clone());
        self.see_through(async move {
            service.delete_rows(&caller, &id, expected).await?;
            tracing::info!(image.id = %id, "image deleted");
            if let Err(error) = service.remove_leftovers(Some(&id)).await {
                tracing::error!(image.id = %id, error = %chain(&error), "a deleted image's data is not removed yet");
            }
            service.unstage(&id).await;
            if let Err(error) = service.uncache(&id).await {
                tracing::error!(image.id = %id, error = %chain(&error), "a deleted image is still cached; that is looked at again");
            }
            Ok(())
        })
        .await
    }

    async fn delete_rows(&self, caller: &Caller, id: &ImageId, expected: Expected) -> Result<(), Fault> {
        let (access, id, now, delayed) = (self.access(caller), id.clone(), self.now(), self.settings().delayed_delete);
        let judge = access.clone();
        let deleted = self.write_judged(&judge, move |tx| {
            let image = seen(tx, &access, &id)?;
            access.may_change("delete_image", &image)?;
            if image.protected {
                return Err(Fault::Forbidden(format!("Image {id} is protected and cannot be deleted.")));
            }
            let step = (image.status, end(&image, delayed)?);
            expected.check(&access.readable(image.clone()))?;
            if images::delete(tx, &id, step, now)? { Ok((image, step.1)) } else { Err(check::not_found(&id)) }
        });
        let (image, status) = deleted.await?;
        self.notes().image_deleted(&image, status, now);
        Ok(())
    }

    /// Removes the data that is still there of one deleted image, or of all of them, and of locations that images have no
    /// more. With `delayed_delete`, the latter wait for the scrubber, which takes them with their image (Glance's
    /// behaviour). What cannot be removed stays noted.
    ///
    /// # Errors
    /// That of the database. Those of the store are logged.
    pub(crate) async fn remove_leftovers(&self, id: Option<&ImageId>) -> Result<(), Fault> {
        let wanted = locations::Wanted { image: id.cloned(), of_live: !self.settings().delayed_delete };
        let mut after = 0;
        loop {
            let (wanted, cipher) = (wanted.clone(), self.cipher().clone());
            let found =
                self.db().read::<_, DbError, _>(move |tx| locations::leftovers(tx, &cipher, &wanted, after, PAGE));
            let found = found.await?;
            let Some(last) = found.last() else { return Ok(()) };
            after = last.row;
            let mut removed = Vec::new();
            for leftover in found {
                match self.stores().remove(&leftover.url).await {
                    Ok(()) | Err(StoreError::NotFound { .. } | StoreError::ReadOnly { .. }) => {
                        removed.push(leftover.row)
                    }
                    // Of a store that Glance has and this program does not: it stays noted for one that can.
                    Err(error @ StoreError::Foreign { .. }) => {
                        tracing::debug!(image.id = leftover.image, %error, "a deleted image's data is elsewhere");
                    }
                    Err(error) => {
                        let error = chain(&error);
                        tracing::warn!(image.id = leftover.image, %error, "a deleted image's data cannot be removed");
                    }
                }
            }
            let now = self.now();
            self.db().write::<_, DbError, _>(move |tx| locations::removed(tx, &removed, now)).await?;
        }
    }
}

/// What a deletion makes of an image.
///
/// # Errors
/// `Invalid`: the status machine has no such step.
fn end(image: &Image, delayed: bool) -> Result<Status, Fault> {
    // Glance delays the deletion of whatever has a location, and so refuses that of what is neither active nor
    // deactivated; those have no whole data that anybody could want back.
    let delayed =
        delayed && !image.locations.is_empty() && matches!(image.status, Status::Active | Status::Deactivated);
    let to = if delayed { Status::PendingDelete } else { Status::Deleted };
    image.status.become_(to).map_err(|refused| {
        Fault::Invalid(format!("Image status transition from {} to {} is not allowed", refused.from, refused.to))
    })
}
