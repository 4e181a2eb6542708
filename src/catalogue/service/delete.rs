//! Deleting.

use crate::base::chain;
use crate::catalogue::{
    service::{Expected, Fault, Service, check, records::seen},
    tables::{
        images,
        locations::{self, Leftover},
    },
};
use crate::db::DbError;
use crate::identity::Caller;
use crate::image::{Image, ImageId, Location, Status};
use crate::store::StoreError;
use futures_util::future::join_all;
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use tokio::time::timeout;

/// Why data stays (Glance's words).
pub(super) const IN_USE: &str =
    "The image cannot be deleted because it is in use through the backend store outside of Glance.";

/// How long stores are asked whether data is in use.
const LOOK: Duration = Duration::from_secs(15);

/// How long a request waits for stores to remove data.
const REMOVAL: Duration = Duration::from_secs(20);

/// Leftovers looked at in one transaction.
const PAGE: u64 = 100;

impl Service {
    /// Deletes an image and its data. The row goes first: from then on nobody finds the image; data that cannot be
    /// removed now is removed later. With `delayed_delete`, data of an active image is left to the scrubber.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden` (protected, too), `Invalid` (deactivated, with `delayed_delete`), `Conflict` (its data is in
    /// use, as by clones in Ceph).
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
            let in_use = service.image_in_use(&caller, &id).await?;
            service.delete_rows(&caller, &id, (expected, in_use)).await?;
            tracing::info!(image.id = %id, "image deleted");
            service.remove_data(&id).await;
            service.unstage(&id).await;
            if let Err(error) = service.uncache(&id).await {
                tracing::error!(image.id = %id, error = %chain(&error), "a deleted image is still cached; that is looked at again");
            }
            Ok(())
        })
        .await
    }

    /// Whether a store says that the data is in use, and cannot be removed. With `delayed_delete` the scrubber hears it.
    async fn image_in_use(&self, caller: &Caller, id: &ImageId) -> Result<bool, Fault> {
        if self.settings().delayed_delete {
            return Ok(false);
        }
        for location in self.find(caller, id).await?.locations {
            if self.data_in_use(id, &location).await {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A store that does not answer soon says nothing: the removal comes again until it is done.
    pub(super) async fn data_in_use(&self, id: &ImageId, location: &Location) -> bool {
        match timeout(LOOK, self.stores().in_use(location)).await {
            Ok(Err(error @ StoreError::InUse { .. })) => {
                tracing::warn!(image.id = %id, %error, "the data of an image is not removed");
                true
            }
            _ => false,
        }
    }

    async fn delete_rows(
        &self,
        caller: &Caller,
        id: &ImageId,
        (expected, in_use): (Expected, bool),
    ) -> Result<(), Fault> {
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
            if in_use {
                return Err(Fault::Conflict(format!("Image {id} could not be deleted because it is in use: {IN_USE}")));
            }
            if images::delete(tx, &id, step, now)? { Ok((image, step.1)) } else { Err(check::not_found(&id)) }
        });
        let (image, status) = deleted.await?;
        self.notes().image_deleted(&image, status, now);
        Ok(())
    }

    /// Removes the data that an image has no more. What cannot be removed now is removed later; a store that does not answer
    /// is not waited for to the end.
    pub(super) async fn remove_data(&self, id: &ImageId) {
        let (service, image) = (self.clone(), id.clone());
        let removing = self.in_background(async move {
            if let Err(error) = service.remove_leftovers(Some(&image)).await {
                tracing::error!(image.id = %image, error = %chain(&error), "data that no image has is not removed yet");
            }
        });
        if timeout(REMOVAL, removing).await.is_err() {
            tracing::warn!(image.id = %id, "a store takes long to remove data; nobody waits for it any more");
        }
    }

    /// Removes the data that is still there of one deleted image, or of all of them, and of locations that images have no
    /// more. With `delayed_delete`, the latter wait for the scrubber, which takes them with their image (Glance's
    /// behaviour). What cannot be removed stays noted.
    ///
    /// # Errors
    /// That of the database. Those of the store are logged.
    pub(crate) async fn remove_leftovers(&self, id: Option<&ImageId>) -> Result<(), Fault> {
        let wanted = locations::Wanted { image: id.cloned(), of_live: !self.settings().delayed_delete };
        let (mut after, mut failing) = (0, HashSet::new());
        loop {
            let (wanted, cipher) = (wanted.clone(), self.cipher().clone());
            let found =
                self.db().read::<_, DbError, _>(move |tx| locations::leftovers(tx, &cipher, &wanted, after, PAGE));
            let found = found.await?;
            let Some(last) = found.last() else { return Ok(()) };
            after = last.row;
            let removed = self.remove_each(found, &mut failing).await;
            let now = self.now();
            self.db().write::<_, DbError, _>(move |tx| locations::removed(tx, &removed, now)).await?;
        }
    }

    /// The rows whose data is gone. No store waits for another one, and one that fails is left alone from then on: it may be
    /// one that hangs.
    async fn remove_each(&self, found: Vec<Leftover>, failing: &mut HashSet<String>) -> Vec<i64> {
        let mut by_store: HashMap<String, Vec<Leftover>> = HashMap::new();
        for leftover in found {
            let store = self.stores().of(&leftover.location).map_or("", |it| it.name()).to_owned();
            by_store.entry(store).or_default().push(leftover);
        }
        by_store.retain(|store, _| !failing.contains(store));
        let of_one = async |store: String, leftovers: Vec<Leftover>| {
            let mut removed = Vec::new();
            for leftover in leftovers {
                match self.remove_one(&leftover).await {
                    Ok(true) => removed.push(leftover.row),
                    Ok(false) => {}
                    Err(Failing) => return (removed, Some(store)),
                }
            }
            (removed, None)
        };
        let mut rows = Vec::new();
        for (removed, failed) in join_all(by_store.into_iter().map(|(store, it)| of_one(store, it))).await {
            rows.extend(removed);
            failing.extend(failed);
        }
        rows
    }

    /// Whether the data of a location is gone.
    async fn remove_one(&self, leftover: &Leftover) -> Result<bool, Failing> {
        let image = &leftover.image;
        match self.stores().remove(&leftover.location).await {
            Ok(()) | Err(StoreError::NotFound { .. } | StoreError::ReadOnly { .. }) => Ok(true),
            // Of a store that Glance has and this program does not: it stays noted for one that can.
            Err(error @ StoreError::Foreign { .. }) => {
                tracing::debug!(image.id = image, %error, "a deleted image's data is elsewhere");
                Ok(false)
            }
            Err(error) => {
                let is_alone =
                    matches!(error, StoreError::InUse { .. } | StoreError::Io { .. } | StoreError::Denied { .. });
                tracing::warn!(image.id = image, error = %chain(&error), "a deleted image's data cannot be removed");
                if is_alone { Ok(false) } else { Err(Failing) }
            }
        }
    }
}

/// A store does not do what it should, whatever the data.
struct Failing;

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
