//! Changing what is known of an image.

use crate::catalogue::{
    Settings,
    service::{
        Expected, Fault, Service,
        access::Access,
        check,
        records::seen,
        relocate::{self, Looks},
        upload::{fits, storage_left},
    },
    tables::images,
};
use crate::db::{DbError, Tx};
use crate::identity::Caller;
use crate::image::{Change, ChangeError, Image, ImageId, Status};
use std::sync::Arc;

impl Service {
    /// Applies changes, all or none. No change writes nothing.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Conflict`, `Invalid`, `TooLarge`.
    pub async fn change(&self, caller: &Caller, id: &ImageId, changes: Vec<Change>) -> Result<Image, Fault> {
        self.change_if(caller, id, Expected::default(), changes).await
    }

    /// As [`Self::change`], if the image is as expected.
    ///
    /// # Errors
    /// `Stale`, and those of [`Self::change`].
    pub async fn change_if(
        &self,
        caller: &Caller,
        id: &ImageId,
        expected: Expected,
        changes: Vec<Change>,
    ) -> Result<Image, Fault> {
        if changes.is_empty() {
            let image = self.show(caller, id).await?;
            expected.check(&image)?;
            return Ok(image);
        }
        let changes = relocate::placed(self.stores(), changes);
        let (is_admin, looks, changes) = (caller.is_admin, Looks::default(), Arc::new(changes));
        let relocates = changes.iter().any(|it| matches!(it, Change::RemoveLocation(_)));
        loop {
            let (settings, looks_, changes) = (self.settings(), looks.clone(), Arc::clone(&changes));
            let signers = self.signers();
            let edited = self.edit_if(caller, id, expected.clone(), move |access, before, image| {
                for change in changes.iter() {
                    access.may_apply(change, before, image)?;
                    let shown = settings.show_multiple_locations;
                    if shown && relocate::brings_data(change, image) {
                        signers.refuse_unread(&image.id)?;
                    }
                    if !shown || !relocate::apply(&settings, &looks_, change, image)? {
                        change.apply(image, is_admin)?;
                    }
                }
                Ok(true)
            });
            let edited = edited.await;
            match looks.wanted() {
                Some(location) => {
                    let size = self.look(&location).await;
                    looks.learn(&location, size);
                }
                None => {
                    if relocates && edited.is_ok() {
                        self.remove_data(id).await;
                    }
                    return edited;
                }
            }
        }
    }

    /// Puts a word on an image; no error when it is there.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid`, `TooLarge`.
    pub async fn add_tag(&self, caller: &Caller, id: &ImageId, tag: &str) -> Result<(), Fault> {
        let tag = tag.to_owned();
        self.edit(caller, id, move |access, before, image| {
            access.may_change("modify_image", before)?;
            Ok(image.tags.insert(tag.clone()))
        })
        .await
        .map(drop)
    }

    /// Takes a word off.
    ///
    /// # Errors
    /// `NotFound` (no such tag, too), `Forbidden`.
    pub async fn remove_tag(&self, caller: &Caller, id: &ImageId, tag: &str) -> Result<(), Fault> {
        let tag = tag.to_owned();
        self.edit(caller, id, move |access, before, image| {
            access.may_change("modify_image", before)?;
            if image.tags.remove(&tag) {
                Ok(true)
            } else {
                let shown: String = tag.chars().take(80).collect();
                Err(Fault::NotFound(format!("Image {} has no tag {shown}.", image.id)))
            }
        })
        .await
        .map(drop)
    }

    /// Closes an active image to all but admins; a deactivated one stays.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden` (another status, too).
    pub async fn deactivate(&self, caller: &Caller, id: &ImageId) -> Result<(), Fault> {
        self.switch(caller, id, "deactivate", (Status::Active, Status::Deactivated)).await
    }

    /// Opens a deactivated image; an active one stays.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden` (another status, too).
    pub async fn reactivate(&self, caller: &Caller, id: &ImageId) -> Result<(), Fault> {
        self.switch(caller, id, "reactivate", (Status::Deactivated, Status::Active)).await
    }

    pub(super) async fn edit(
        &self,
        caller: &Caller,
        id: &ImageId,
        edit: impl Fn(&Access, &Image, &mut Image) -> Result<bool, Fault> + Send + Sync + 'static,
    ) -> Result<Image, Fault> {
        self.edit_if(caller, id, Expected::default(), edit).await
    }

    /// Reads the image, lets `edit` change it if the caller may, and writes what differs, all in one transaction: changes of one image
    /// follow each other. When `edit` says false, nothing is written. What is expected is looked at last, so that
    /// whoever may not change the image is told that.
    async fn edit_if(
        &self,
        caller: &Caller,
        id: &ImageId,
        expected: Expected,
        edit: impl Fn(&Access, &Image, &mut Image) -> Result<bool, Fault> + Send + Sync + 'static,
    ) -> Result<Image, Fault> {
        let (access, id, now, settings) = (self.access(caller), id.clone(), self.now(), self.settings());
        let judge = access.clone();
        let edited = self.write_judged(&judge, move |tx| {
            let before = seen(tx, &access, &id)?;
            let mut after = before.clone();
            let edited = edit(&access, &before, &mut after)?;
            expected.check(&access.readable(before.clone()))?;
            if !edited {
                return Ok((access.readable(before), None));
            }
            access.stores.arrange(&mut after.locations);
            check::record(&settings, Some(&before), &after)?;
            check_storage(tx, &settings, &before, &after)?;
            after.updated_at = now;
            match images::update(tx, &access.cipher, &before, &after) {
                Ok(true) => Ok((access.readable(after.clone()), Some(after))),
                Ok(false) => Err(Fault::Conflict(format!("Image {id} was changed by another request; try again."))),
                // Names that are the same for MySQL.
                Err(DbError::Duplicate) => {
                    Err(Fault::Conflict(format!("Image {id} would have properties whose names differ by case alone.")))
                }
                Err(other) => Err(other.into()),
            }
        });
        let (shown, written) = edited.await?;
        if let Some(written) = written {
            self.notes().image_updated(&written);
        }
        Ok(shown)
    }

    async fn switch(
        &self,
        caller: &Caller,
        id: &ImageId,
        action: &'static str,
        (from, to): (Status, Status),
    ) -> Result<(), Fault> {
        let (access, id, now) = (self.access(caller), id.clone(), self.now());
        let judge = access.clone();
        let switched = self.write_judged(&judge, move |tx| {
            let image = seen(tx, &access, &id)?;
            access.may_change(action, &image)?;
            if image.status == to {
                return Ok(None);
            }
            if images::change_status(tx, &id, (&[from], to), None, now)? {
                return Ok(Some(Image { status: to, updated_at: now, ..image }));
            }
            Err(Fault::Forbidden(format!("Not allowed to {action} image in status '{}'", image.status)))
        });
        if let Some(image) = switched.await? {
            self.notes().image_updated(&image);
        }
        Ok(())
    }
}

/// `user_storage_quota`, where an image gets more locations (Glance's rule: each counts).
pub(super) fn check_storage(tx: &Tx<'_>, settings: &Settings, before: &Image, after: &Image) -> Result<(), Fault> {
    let count = after.locations.len() as u64;
    if count <= before.locations.len() as u64 {
        return Ok(());
    }
    let left = storage_left(tx, settings, after.owner.as_deref(), &after.id)?;
    fits(Some(after.size.unwrap_or(0).saturating_mul(count)), left)
}

impl From<ChangeError> for Fault {
    fn from(error: ChangeError) -> Self {
        let text = error.to_string();
        match error {
            ChangeError::AlreadyPresent(_) | ChangeError::Missing(_) => Self::Conflict(text),
            ChangeError::NotRemovable(_)
            | ChangeError::NotQueued(_)
            | ChangeError::OwnerByNonAdmin
            | ChangeError::LocationsInvisible(_) => Self::Forbidden(text),
        }
    }
}
