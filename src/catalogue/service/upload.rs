//! Taking data in.
//!
//! ```text
//!   one transaction        queued → saving, and the upload is entered in `larder_uploads`
//!   aside                  md5 ∥ os_hash ∥ write; what it is
//!   judged                 its signature, content against disk_format
//!   one transaction        where the object will stand is announced
//!   rename                 the object stands
//!   one transaction        saving → active, location, hashes; the entry goes
//! ```
//!
//! Whatever fails is undone in the reverse order. After a crash the entry in `larder_uploads` says what to undo.
//!
//! Who asks, and what they may, is settled before the first byte; nothing after it asks Keystone in the caller's name. So
//! a token may expire while its upload goes on, and no trust is needed to end it (Glance makes one for each upload).

use crate::base::chain;
use crate::catalogue::{
    Settings,
    service::{
        BoxError, Fault, Service,
        imports::Changes,
        records::seen,
        signatures::{self, Named},
    },
    tables::{
        images::{self, Data},
        locations, processes, uploads,
    },
};
use crate::db::{DbError, Tx};
use crate::diskformat::{Inspection, Rules};
use crate::identity::{Caller, quota::Resource};
use crate::image::{Image, ImageId, Location, Status};
use crate::store::{self, IngestError, Ingested, Store, StoreError};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use std::{sync::Arc, time::Instant};

/// Data on its way in.
pub struct Upload {
    /// The data.
    pub body: BoxStream<'static, Result<Bytes, BoxError>>,
    /// Its bytes, when the client said.
    pub expected: Option<u64>,
    /// The store that the client chose, which counts where there are `enabled_backends` (Glance's behaviour).
    pub store: Option<String>,
}

/// An image that this process is writing, for as long as this lives.
pub(crate) struct Entered {
    service: Service,
    id: ImageId,
}

impl Service {
    /// Takes the data of a queued image in and makes it active. After an error it is queued and no byte is left.
    /// Once begun it goes on even if the caller stops waiting; a body that breaks off ends it.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Conflict` (not queued), `Invalid` (no formats, wrong size), `TooLarge`,
    /// `UnsupportedMedia` (the data is not its format, or not safe), `Gone` (deleted meanwhile), `Unavailable`.
    pub async fn upload(&self, caller: &Caller, id: &ImageId, upload: Upload) -> Result<(), Fault> {
        let (service, caller, id) = (self.clone(), caller.clone(), id.clone());
        self.see_through(async move {
            let start = Instant::now();
            let outcome = service.take_in(&caller, &id, upload).await;
            metrics::counter!("larder_catalogue_uploads_total", "outcome" => word(&outcome)).increment(1);
            let took_ms = start.elapsed().as_millis();
            match outcome {
                Ok(size) => {
                    metrics::counter!("larder_catalogue_upload_bytes_total").increment(size);
                    tracing::info!(image.id = %id, size, took_ms, "image uploaded");
                    Ok(())
                }
                Err(fault) => {
                    tracing::warn!(image.id = %id, took_ms, error = %chain(&fault), "upload refused or failed");
                    Err(fault)
                }
            }
        })
        .await
    }

    async fn take_in(&self, caller: &Caller, id: &ImageId, upload: Upload) -> Result<u64, Fault> {
        let store = self.chosen(upload.store.as_deref())?;
        let Some(entered) = self.enter(id) else {
            self.show(caller, id).await?;
            return Err(Fault::Conflict(format!("Image {id} is being uploaded already.")));
        };
        // In MiB, rounded down; of data of unknown size only what is there already counts (Glance's behaviour).
        let announced = upload.expected.unwrap_or(0) >> 20;
        self.enforce(caller, &[(Resource::ImageSizeTotal, announced), (Resource::ImageCountUploading, 1)]).await?;
        let (image, cap) = self.begin(caller, id, upload.expected).await?;
        self.notes().image_updated(&image);
        self.notes().preparing(&image, self.named(&*store).as_deref());
        let taken = self.write(caller, (&image, cap), (upload, &*store)).await;
        if let Err(fault) = &taken {
            self.notes().upload_failed(id, fault);
            if let Err(error) = self.undo(id.as_str(), Some(&[&*store])).await {
                // The entry stays, and the worker that looks for such entries tries again.
                tracing::error!(image.id = %id, error = %chain(&error), "a failed upload is not undone yet");
            }
        }
        drop(entered);
        taken
    }

    /// `queued` → `saving`; the image, and the most bytes that it may have.
    async fn begin(&self, caller: &Caller, id: &ImageId, expected: Option<u64>) -> Result<(Image, u64), Fault> {
        let (access, id, now) = (self.access(caller), id.clone(), self.now());
        let (settings, process) = (self.settings(), self.process().clone());
        let judge = access.clone();
        self.write_judged(&judge, move |tx| {
            let image = seen(tx, &access, &id)?;
            access.may_change("upload_image", &image)?;
            let left = storage_left(tx, &settings, image.owner.as_deref(), &id)?;
            let cap = settings.image_size_cap.min(left.unwrap_or(u64::MAX));
            fits(expected, Some(cap))?;
            has_formats(&image)?;
            let to_saving = (&[Status::Queued][..], Status::Saving);
            if image.status.become_(Status::Saving).is_err() || !images::change_status(tx, &id, to_saving, None, now)? {
                let from = image.status;
                return Err(Fault::Conflict(format!("Image status transition from {from} to saving is not allowed")));
            }
            processes::beat(tx, &process, now)?;
            match uploads::begin(tx, &id, &process.id, now) {
                Err(DbError::Duplicate) => Err(Fault::Conflict(format!(
                    "A broken upload of image {id} is being cleaned up; try again in a minute."
                ))),
                other => Ok(other.map(|()| (Image { status: Status::Saving, updated_at: now, ..image }, cap))?),
            }
        })
        .await
    }

    async fn write(
        &self,
        caller: &Caller,
        (image, size_cap): (&Image, u64),
        (upload, into): (Upload, &dyn Store),
    ) -> Result<u64, Fault> {
        let signer = self.signer(image, Named { kept: None, caller: Some(caller) }).await?;
        self.remove_orphan(&image.id, &[into]).await?;
        let hash = self.settings().hashing_algorithm;
        let also = signer.as_ref().map(|it| it.signature().hash());
        let limits = store::Limits { size_cap, expected: upload.expected, hash, also };
        let staged = store::ingest(upload.body, into, &image.id, limits).await?;
        if let Some(signer) = &signer {
            signatures::check(&image.id, signer, staged.facts())?;
        }
        let virtual_size = judge(&self.settings(), image, &staged.facts().inspection)?;

        let (id, process, url) = (image.id.clone(), self.process().id.clone(), staged.url().to_owned());
        let location = self.stores().written(into, url.clone());
        let announced = self.db().write::<_, DbError, _>(move |tx| uploads::announce(tx, &id, &process, &url)).await?;
        if !announced {
            return Err(self.gone(image).await);
        }
        let facts = staged.commit().await?;
        let size = facts.size;
        if self.activate(&image.id, (facts, location), virtual_size).await? {
            Ok(size)
        } else {
            Err(self.gone(image).await)
        }
    }

    /// `saving` → `active`. False when the image was deleted, or the upload was taken for broken off.
    async fn activate(
        &self,
        id: &ImageId,
        (facts, location): (Ingested, Location),
        virtual_size: Option<u64>,
    ) -> Result<bool, Fault> {
        let (id, process, now) = (id.clone(), self.process().id.clone(), self.now());
        let (cipher, settings) = (self.cipher().clone(), self.settings());
        let mut changes = Changes::default();
        if settings.plugins.introspects_uploads {
            changes.introspect(&facts.inspection);
        }
        let data = Data {
            size: Some(facts.size),
            virtual_size,
            checksum: Some(facts.checksum),
            os_hash_algo: Some(facts.hash_algo.to_string()),
            os_hash_value: Some(facts.hash_value),
        };
        let tell = self.notes().tell_of_images();
        let activated = self.db().write(move |tx| {
            let to_active = (&[Status::Saving][..], Status::Active);
            if !uploads::is_of(tx, &id, &process)? || !images::change_status(tx, &id, to_active, Some(&data), now)? {
                return Ok((false, None));
            }
            // Others of the project may have ended since this one began (Glance looks twice, too).
            if settings.user_storage_quota.bytes().is_some()
                && let Some(image) = images::find(tx, &cipher, &id)?
            {
                fits(data.size, storage_left(tx, &settings, image.owner.as_deref(), &id)?)?;
            }
            if changes != Changes::default()
                && let Some(before) = images::find(tx, &cipher, &id)?
            {
                let mut after = before.clone();
                changes.apply(&mut after);
                images::update(tx, &cipher, &before, &after)?;
            }
            locations::add(tx, &cipher, &id, &location, now)?;
            let ended = uploads::end(tx, id.as_str(), &process)?;
            let active = if tell { images::find(tx, &cipher, &id)? } else { None };
            Ok::<_, Fault>((ended, active))
        });
        let (activated, active) = activated.await?;
        if let Some(image) = active.filter(|_| activated) {
            self.notes().uploaded(&image);
            self.notes().activated(&image);
            self.notes().image_updated(&image);
        }
        Ok(activated)
    }

    /// Why an upload that is no longer wanted ends.
    async fn gone(&self, image: &Image) -> Fault {
        let (id, cipher) = (image.id.clone(), self.cipher().clone());
        match self.db().read(move |tx| images::find(tx, &cipher, &id)).await {
            Ok(Some(_)) => {
                Fault::Conflict(format!("The upload of image {} was taken for broken off; upload it again.", image.id))
            }
            Ok(None) => Fault::Gone(format!(
                "Image {} could not be found after upload. The image may have been deleted during the upload.",
                image.id
            )),
            Err(error) => error.into(),
        }
    }

    /// Where the data goes: to no other store than the client chose, where it has a choice.
    ///
    /// # Errors
    /// `Gone`: nothing is written to that store; `Invalid`: there is none of this id.
    fn chosen(&self, wanted: Option<&str>) -> Result<Arc<dyn Store>, Fault> {
        let settings = self.settings();
        let (Some(wanted), false) = (wanted, settings.store.backends.is_empty()) else {
            return Ok(Arc::clone(self.stores().main()));
        };
        if settings.store.backend(wanted).is_some_and(store::Backend::is_read_only) {
            return Err(StoreError::ReadOnly { store: wanted.to_owned() }.into());
        }
        let takers = || settings.store.backends.iter().filter(|it| !it.is_read_only()).map(|it| it.id.as_str());
        self.stores().by_id(wanted).cloned().ok_or_else(|| {
            let wanted: String = wanted.chars().take(80).collect();
            let known = takers().collect::<Vec<_>>().join("', '");
            Fault::Invalid(format!("There is no store '{wanted}' that takes uploads; there is '{known}'."))
        })
    }

    /// What a store is called, where there are several.
    pub(super) fn named(&self, store: &dyn Store) -> Option<String> {
        (!self.settings().store.backends.is_empty()).then(|| store.name().to_owned())
    }

    pub(crate) fn enter(&self, id: &ImageId) -> Option<Entered> {
        let entered = self.uploading().insert(id.clone());
        entered.then(|| Entered { service: self.clone(), id: id.clone() })
    }
}

/// What `user_storage_quota` leaves to a project beside this image; none without one. Keystone's limits stand in its place
/// (Glance's rule).
///
/// # Errors
/// [`DbError`] of the statements.
pub(super) fn storage_left(
    tx: &Tx<'_>,
    settings: &Settings,
    owner: Option<&str>,
    id: &ImageId,
) -> Result<Option<u64>, DbError> {
    if settings.user_storage_quota.bytes().is_none() || settings.limits.is_some() {
        return Ok(None);
    }
    Ok(settings.user_storage_quota.remaining(images::stored_bytes(tx, owner, Some(id))?))
}

/// # Errors
/// `TooLarge`.
pub(super) fn fits(size: Option<u64>, left: Option<u64>) -> Result<(), Fault> {
    match (size, left) {
        (Some(size), Some(left)) if size > left => {
            Err(Fault::TooLarge(format!("The size of the data {size} will exceed the limit. {left} bytes remaining.")))
        }
        _ => Ok(()),
    }
}

/// The content against the declaration; the size that a guest sees.
///
/// # Errors
/// `UnsupportedMedia`.
pub(super) fn judge(settings: &Settings, image: &Image, inspection: &Inspection) -> Result<Option<u64>, Fault> {
    let (Some("bare"), Some(format)) = (image.container_format.as_deref(), image.disk_format.as_deref()) else {
        return Ok(None);
    };
    inspection.accept_as(format, &rules(settings)).map_err(|refusal| {
        Fault::UnsupportedMedia(format!("Image content is not accepted as disk_format {format}: {refusal}"))
    })?;
    Ok(inspection.virtual_size_as(format))
}

/// What the site allows of images' content.
pub(super) fn rules(settings: &Settings) -> Rules {
    Rules {
        vmdk_allowed_types: settings.vmdk_allowed_types.clone(),
        gpt_safety_checks_nonfatal: settings.gpt_safety_checks_nonfatal.clone(),
        require_match: settings.require_image_format_match,
    }
}

pub(super) fn has_formats(image: &Image) -> Result<(), Fault> {
    let formats = [("disk_format", &image.disk_format), ("container_format", &image.container_format)];
    let missing: Vec<_> =
        formats.iter().filter(|it| it.1.as_deref().unwrap_or_default().is_empty()).map(|it| it.0).collect();
    match missing[..] {
        [] => Ok(()),
        [one] => Err(Fault::Invalid(format!("Property {one} must be set prior to saving data."))),
        _ => Err(Fault::Invalid(format!("Properties {} must be set prior to saving data.", missing.join(", ")))),
    }
}

fn word<T>(outcome: &Result<T, Fault>) -> &'static str {
    match outcome {
        Ok(_) => "done",
        Err(Fault::Unavailable(_) | Fault::Internal(_)) => "failed",
        Err(_) => "refused",
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.service.uploading().remove(&self.id);
    }
}

impl From<IngestError> for Fault {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Body { .. } | IngestError::Size { .. } => Self::Invalid(error.to_string()),
            IngestError::TooLarge { .. } => Self::TooLarge(error.to_string()),
            IngestError::Store(error) | IngestError::StoreOf { source: error, .. } => error.into(),
            IngestError::NoStore => Self::Unavailable(error.to_string()),
            IngestError::Digest(error) => Self::internal(error),
        }
    }
}
