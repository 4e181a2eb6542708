//! `/v2/images/{id}/locations`: where an image's data is, for other services and for owners.
//!
//! With `do_secure_hash` the data is read behind the request ([`imports::InPlace`]), and the signature of a signed image is
//! verified; without it hashes are those that the caller gives, or none. The caller is told only that it was asked for; what became of it is a task of the image.

use crate::base::digest::Algorithm;
use crate::catalogue::{
    Settings,
    service::{
        Fault, Service,
        access::Access,
        change::check_storage,
        check,
        imports::{self, InPlace},
        relocate,
        relocate::{Looks, check_hex},
        signatures::{Kept, Named},
        tasks::{Ended, NewTask, ended},
    },
    tables::{images, tasks},
};
use crate::db::{DbError, Tx};
use crate::identity::Caller;
use crate::image::{Change, Image, ImageId, Location, NewLocation, Place, Status, task::Task};
use crate::store;
use chrono::{DateTime, Utc};
use serde_json::json;

/// What is to be added to an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// Where the data is.
    pub url: String,
    /// What its hash is, by the caller's word: the algorithm, and the value in hex.
    pub hash: Option<(Algorithm, String)>,
    /// The request that asks for it.
    pub request: String,
}

impl Service {
    /// The image, with all its locations, for other services and for admins; only these see those of a deactivated one.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn locations(&self, caller: &Caller, id: &ImageId) -> Result<Image, Fault> {
        let mut image = self.find(caller, id).await?;
        self.access(caller).may("fetch_image_location", &image)?;
        if image.status == Status::Deactivated && !caller.is_admin {
            image.locations.clear();
        }
        Ok(image)
    }

    /// Makes a queued image active with data that is at a URL, at once or when its hash is found to be right. When that cannot
    /// be done, the task of the image says why.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden` (the rule, and URLs that only services may add), `Conflict` (not queued, or an import goes
    /// on), `Invalid` (no such hash, or this server may not go there).
    pub async fn add_location(&self, caller: &Caller, id: &ImageId, new: Addition) -> Result<(), Fault> {
        let image = self.find(caller, id).await?;
        if image.status != Status::Queued {
            let status = image.status;
            return Err(Fault::Conflict(format!("It's not allowed to add locations if image status is {status}.")));
        }
        self.access(caller).may("add_image_location", &image)?;
        let is_service = caller.roles.iter().chain(caller.service_roles()).any(|it| it == "service");
        let on_web = new.url.starts_with("http") && self.stores().of_url("http://").is_ok();
        if !is_service && !on_web {
            let words = "http store must be enabled to use location API by normal user.";
            return Err(Fault::Forbidden(words.to_owned()));
        }
        if let Some((algorithm, value)) = &new.hash {
            check_hex("os_hash_value", value, *algorithm).map_err(Fault::Invalid)?;
        }
        let scheme = new.url.split_once(':').map_or("", |it| it.0).to_ascii_lowercase();
        let web = matches!(scheme.as_str(), "http" | "https");
        if web && !store::may_ask(&self.settings().import_filtering, &new.url).await {
            let url: String = new.url.chars().take(300).collect();
            return Err(Fault::Invalid(format!("URI for add location does not pass filtering: {url}")));
        }
        self.is_free(&image).await?;
        let certificate = self.signed_in_place(caller, &image).await?;
        let (service, caller, id) = (self.clone(), caller.clone(), id.clone());
        self.see_through(async move { service.attach(&caller, &id, (new, certificate)).await }).await
    }

    /// The certificate that the data of a signed image is verified with where it is; none where nothing is verified.
    ///
    /// # Errors
    /// `Invalid`, `Unavailable`: those of a signature, and of data that nobody reads where all must be signed.
    async fn signed_in_place(&self, caller: &Caller, image: &Image) -> Result<Option<Kept>, Fault> {
        if !self.settings().do_secure_hash {
            return self.signers().refuse_unread(&image.id).map(|()| None);
        }
        let signer = self.signer(image, Named { kept: None, caller: Some(caller) }).await?;
        signer.as_ref().map(Kept::of).transpose()
    }

    /// An error while a task works on the image.
    async fn is_free(&self, image: &Image) -> Result<(), Fault> {
        let (image, now) = (image.clone(), self.now());
        self.db().read(move |tx| imports::check_lock(tx, &image, now).map(drop)).await
    }

    /// Looks at the place, and then writes all of it at once: what the image is now, what is still to be done, and the task.
    async fn attach(
        &self,
        caller: &Caller,
        id: &ImageId,
        (new, certificate): (Addition, Option<Kept>),
    ) -> Result<(), Fault> {
        let looks = Looks::default();
        let location = self.stores().located(new.url.clone());
        let size = self.look(&location).await;
        looks.learn(&location, size);
        let hash = new.hash.as_ref().map(|it| json!({"os_hash_algo": it.0.as_str(), "os_hash_value": it.1}));
        let input = json!({"image_id": id, "loc_url": new.url, "validation_data": hash.unwrap_or_else(|| json!({}))});
        let task = NewTask {
            kind: "location_import".to_owned(),
            input,
            image: Some(id.to_string()),
            request: new.request.clone(),
        };
        let (settings, now, access) = (self.settings(), self.now(), self.access(caller));
        let task = task.begin(caller, now);
        let entry = Entry { location, certificate, task: task.id.clone(), now };
        let (id, kept_hours) = (id.clone(), settings.task_time_to_live);
        let written = self
            .db()
            .write::<_, DbError, _>(move |tx| {
                let mut image = None;
                let outcome = match add(tx, (&settings, &access), &looks, (&id, &new, &entry)) {
                    Ok((after, true)) => {
                        image = Some(after);
                        Ok(json!({"image_id": id}))
                    }
                    // The task ends with the work.
                    Ok((after, false)) => return tasks::insert(tx, &task).map(|()| (None, Some(after), task.clone())),
                    Err(Fault::Internal(cause)) => {
                        tracing::error!(image.id = %id, error = %cause, "a location is not added");
                        Err("Task failed due to Internal Error".to_owned())
                    }
                    Err(fault) => Err(fault.to_string()),
                };
                let failed = outcome.as_ref().err().cloned();
                let ended = ended(task.clone(), Ended { outcome, now, kept_hours });
                tasks::insert(tx, &ended)?;
                Ok((failed, image, ended))
            })
            .await?;
        let (failed, image, task) = written;
        self.tell_added(&task, image.as_ref());
        if let Some(why) = failed {
            tracing::warn!(why, "a location is not added to an image");
        }
        self.desk().call();
        Ok(())
    }

    /// What became of it at once. The rest of a task that is still at work is told when it ends.
    fn tell_added(&self, task: &Task, image: Option<&Image>) {
        let (notes, now) = (self.notes(), task.updated_at);
        notes.task(&Task { status: "pending".to_owned(), expires_at: None, ..task.clone() }, now);
        if let Some(image) = image {
            notes.image_updated(image);
        }
        if task.status != "pending" {
            notes.task_runs(&Task { status: "pending".to_owned(), expires_at: None, ..task.clone() }, now);
            notes.task(&Task { status: "processing".to_owned(), expires_at: None, ..task.clone() }, now);
            notes.task(task, now);
        }
    }
}

/// What is written with an addition.
struct Entry {
    location: Location,
    /// Its data must be signed by this one's key.
    certificate: Option<Kept>,
    /// Its task.
    task: String,
    now: DateTime<Utc>,
}

/// The image as it is then; false when its data is still to be read.
fn add(
    tx: &Tx<'_>,
    (settings, access): (&Settings, &Access),
    looks: &Looks,
    (id, new, entry): (&ImageId, &Addition, &Entry),
) -> Result<(Image, bool), Fault> {
    let before = images::find(tx, &access.cipher, id)?.ok_or_else(|| check::not_found(id))?;
    if before.status != Status::Queued {
        return Err(Fault::Conflict("The image is not queued any more.".to_owned()));
    }
    // The policy lets services ask; what another project owns only admins change (Glance's behaviour).
    if !access.caller.owns(before.owner.as_deref()) {
        return Err(Fault::Forbidden("Only its owner and admins may change the image.".to_owned()));
    }
    let mut active = Image { updated_at: entry.now, ..before.clone() };
    let location = NewLocation { location: entry.location.clone(), validation: None };
    let change = Change::AddLocation { at: Place::Last, location };
    relocate::apply(settings, looks, &change, &mut active)?;
    check_storage(tx, settings, &before, &active)?;
    let awaited = settings.do_secure_hash && (new.hash.is_some() || entry.certificate.is_some());
    let mut after = if awaited {
        Image { updated_at: entry.now, status: Status::Importing, ..before.clone() }
    } else {
        active.clone()
    };
    if settings.do_secure_hash {
        after.properties.insert(imports::LOCK.to_owned(), Some(entry.task.clone()));
    } else if let Some((algorithm, value)) = &new.hash {
        (after.os_hash_algo, after.os_hash_value) = (Some(algorithm.to_string()), Some(value.clone()));
    }
    if !images::update(tx, &access.cipher, &before, &after)? {
        return Err(Fault::Conflict("The image was changed by another request.".to_owned()));
    }
    if settings.do_secure_hash {
        let data = InPlace {
            sealed_url: access.cipher.seal(&new.url),
            size: active.size.unwrap_or_default(),
            wanted: new.hash.as_ref().map(|it| (it.0.to_string(), it.1.clone())),
            signed: entry.certificate.is_some(),
        };
        imports::enter_measuring(tx, (id, &entry.task), (data, entry.certificate.clone()), entry.now)?;
    }
    Ok((after, !settings.do_secure_hash))
}
