//! Asking for an import: judged, and entered in one transaction.

use super::{
    FAILED, IMPORTING, STAGE_HOST, lock,
    order::{Order, change_list},
    staging::Staged,
};
use crate::catalogue::{
    service::{
        Fault, Service,
        access::Access,
        records::seen,
        signatures::{Kept, Named},
        tasks::NewTask,
    },
    tables::{
        images, imports,
        processes::{self, Process},
        staged, tasks, uploads,
    },
};
use crate::db::{DbError, Tx};
use crate::identity::{Caller, quota::Resource};
use crate::image::{Image, ImageId, Import, ImportMethod, Status, Targets, signature::SIGNATURE, task::Task};
use crate::store;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// What a client asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct NewImport {
    /// What it means.
    pub import: Import,
    /// As it was sent; the task shows it.
    pub document: Value,
    /// The request that asks for it.
    pub request: String,
}

/// All that goes into the transaction.
struct Entry {
    access: Access,
    id: ImageId,
    import: Import,
    backends: Backends,
    /// The staging folder of this process.
    folder: Option<String>,
    certificate: Option<Kept>,
    process: Process,
    task: Task,
    now: DateTime<Utc>,
}

/// The stores that there are.
struct Backends {
    /// All that take data; none where there is one store without an id.
    writable: Option<Vec<String>>,
    read_only: Vec<String>,
    default: String,
}

impl Service {
    /// Whether the method may be used here.
    pub fn may_import_by(&self, method: ImportMethod) -> bool {
        self.settings().import_methods.contains(&method)
    }

    /// Begins an import. What becomes of it is seen in the image and in its tasks.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Conflict`: the image's status or formats, an import that goes on, or no such store;
    /// `Invalid`: a place that this server may not ask, a store that has the image, or a signature that does not count here;
    /// `TooLarge`: limits; `Unavailable`: the key manager does not answer.
    pub async fn import(&self, caller: &Caller, id: &ImageId, new: NewImport) -> Result<(), Fault> {
        self.enforce(caller, &[(Resource::ImageSizeTotal, 0)]).await?;
        let image = self.find(caller, id).await?;
        let (access, backends) = (self.access(caller), Backends::of(&self.settings().store));
        // Judged twice: what a client is told first does not hang on what other servers say.
        if judge(&access, &image, &new.import, &backends)?.is_some_and(|it| it.is_empty()) {
            return Ok(());
        }
        self.check_address(&new.import).await?;
        let certificate = self.signed_by(caller, &image, &new.import).await?;
        let input = json!({"image_id": id, "import_req": new.document});
        let kind = "api_image_import".to_owned();
        let task = NewTask { kind, input, image: Some(id.to_string()), request: new.request };
        let now = self.now();
        let folder = self.staging().await.ok().map(|it| it.id.clone());
        let task = task.begin(caller, now);
        let told = task.clone();
        let token = self.hold_token(caller, new.import.method, &task.id)?;
        let (process, import) = (self.process().clone(), new.import);
        let entry =
            Entry { access: access.clone(), id: id.clone(), import, backends, folder, certificate, process, task, now };
        let entered = self.write_judged(&access, move |tx| entry.enter(tx)).await?;
        if let Some(image) = entered {
            token.keep();
            tracing::info!(image.id = %id, "an import is asked for");
            self.notes().task(&told, now);
            self.notes().image_updated(&image);
            self.desk().call();
        }
        Ok(())
    }

    /// The certificate of what is to be imported, while the caller's token is here; none when there is nothing to verify, or
    /// the signature comes with the data.
    ///
    /// # Errors
    /// `Invalid`, `Unavailable`.
    async fn signed_by(&self, caller: &Caller, image: &Image, import: &Import) -> Result<Option<Kept>, Fault> {
        let brings = import.method == ImportMethod::GlanceDownload
            && self.settings().download_properties.iter().any(|it| SIGNATURE.starts_with(it.as_str()));
        if import.method == ImportMethod::CopyImage || brings {
            return Ok(None);
        }
        let signer = self.signer(image, Named { kept: None, caller: Some(caller) }).await?;
        signer.as_ref().map(Kept::of).transpose()
    }

    async fn check_address(&self, import: &Import) -> Result<(), Fault> {
        if import.method != ImportMethod::WebDownload {
            return Ok(());
        }
        let uri = import.uri.as_deref().unwrap_or_default();
        if store::may_ask(&self.settings().import_filtering, uri).await {
            return Ok(());
        }
        let uri: String = import.uri.as_deref().unwrap_or("None").chars().take(300).collect();
        Err(Fault::Invalid(format!("URI for web-download does not pass filtering: {uri}")))
    }
}

/// Whether the image may be imported so; the stores that it goes to, none where there is one store without an id.
///
/// # Errors
/// `NotFound`, `Forbidden`, `Conflict`, `Invalid`, in Glance's order.
fn judge(access: &Access, image: &Image, import: &Import, backends: &Backends) -> Result<Option<Vec<String>>, Fault> {
    let conflict = |words: &str| Err(Fault::Conflict(words.to_owned()));
    let (active, copies) = (image.status == Status::Active, import.method == ImportMethod::CopyImage);
    match import.method {
        _ if active && !copies => return conflict("Image with status active cannot be target for import"),
        ImportMethod::CopyImage if !active => {
            return conflict("Only images with status active can be targeted for copying");
        }
        ImportMethod::WebDownload | ImportMethod::GlanceDownload if image.status != Status::Queued => {
            let words = format!("Image needs to be in 'queued' state to use '{}' method", import.method);
            return Err(Fault::Conflict(words));
        }
        ImportMethod::GlanceDirect if image.status != Status::Uploading => {
            return conflict("Image needs to be staged before 'glance-direct' method can be used");
        }
        _ => {}
    }
    for (name, format) in [("container_format", &image.container_format), ("disk_format", &image.disk_format)] {
        if format.as_deref().unwrap_or_default().is_empty() {
            return Err(Fault::Conflict(format!("'{name}' needs to be set before import")));
        }
    }
    if let Some(Err(words)) = &import.elsewhere {
        return Err(Fault::Invalid(words.clone()));
    }
    if copies {
        access.may("copy_image", image)?
    } else {
        access.may_change("modify_image", image)?
    }
    backends.choose(import, image)
}

// === impl Entry ===

impl Entry {
    /// The image as it is then; none when there is nothing to do.
    fn enter(&self, tx: &Tx<'_>) -> Result<Option<Image>, Fault> {
        let before = seen(tx, &self.access, &self.id)?;
        let stores = judge(&self.access, &before, &self.import, &self.backends)?;
        if stores.as_ref().is_some_and(Vec::is_empty) {
            return Ok(None);
        }
        if imports::find(tx, &self.id)?.is_some() {
            return Err(Fault::Conflict("Image has active task".to_owned()));
        }
        let stale = lock::check(tx, &before, self.now)?;
        let staging = self.staging(tx)?;
        let order = Order::new(&self.import, stores, &self.access.caller.roles, self.certificate.clone());
        let mut after = Image { updated_at: self.now, ..before.clone() };
        if self.import.method != ImportMethod::CopyImage {
            after.status = Status::Importing;
        }
        after.properties.insert(lock::LOCK.to_owned(), Some(self.task.id.clone()));
        after.properties.remove(STAGE_HOST);
        change_list(&mut after, IMPORTING, order.ids(), &[]);
        change_list(&mut after, FAILED, &[], order.ids());
        if !images::update(tx, &self.access.cipher, &before, &after)? {
            return Err(Fault::Conflict(format!("Image {} was changed by another request; try again.", self.id)));
        }
        if let Some(stale) = stale {
            let message = Some("Expired lock preempted".to_owned());
            tasks::update(tx, &Task { status: "failure".to_owned(), message, updated_at: self.now, ..stale })?;
        }
        tasks::insert(tx, &self.task_for(&order))?;
        let (image, task, created_at) = (self.id.clone(), self.task.id.clone(), self.now);
        let order = order.to_json()?;
        let row = imports::Import { image, task, staging, attempts: 0, order, urls: Vec::new(), created_at };
        match imports::insert(tx, &row) {
            Err(DbError::Duplicate) => Err(Fault::Conflict("Image has active task".to_owned())),
            other => Ok(other.map(|()| Some(after))?),
        }
    }

    /// The folder that has the data, for data that is staged; this process, where only it can go on.
    fn staging(&self, tx: &Tx<'_>) -> Result<Option<String>, Fault> {
        if self.import.method == ImportMethod::GlanceDownload {
            // This process has the caller's token, and nobody else.
            processes::beat(tx, &self.process, self.now)?;
            return Ok(Some(self.process.id.clone()));
        }
        if self.import.method != ImportMethod::GlanceDirect {
            return Ok(None);
        }
        if uploads::is_under_way(tx, &self.id)? {
            let words = format!("The data of image {} is still being staged.", self.id);
            return Err(Fault::Conflict(words));
        }
        // Of what a Glance has staged nothing is noted here; it is in the same folder, or will not be found.
        Ok(staged::folder_of(tx, &self.id)?.or_else(|| self.folder.clone()))
    }

    /// The task, whose input tells the stores, too (Glance's form).
    fn task_for(&self, order: &Order) -> Task {
        let mut task = self.task.clone();
        if let Some(Ok(mut input)) = task.input.as_deref().map(serde_json::from_str::<Value>) {
            input["backend"] = order.stores.as_ref().map_or_else(|| json!([null]), |it| json!(it));
            task.input = Some(input.to_string());
        }
        task
    }
}

// === impl Backends ===

impl Backends {
    fn of(settings: &store::Settings) -> Self {
        let ids = |read_only: bool| {
            let these = settings.backends.iter().filter(|it| it.is_read_only() == read_only);
            these.map(|it| it.id.clone()).collect::<Vec<_>>()
        };
        let writable = (!settings.backends.is_empty()).then(|| ids(false));
        Self { writable, read_only: ids(true), default: settings.default_backend.clone() }
    }

    fn choose(&self, import: &Import, image: &Image) -> Result<Option<Vec<String>>, Fault> {
        let copies = import.method == ImportMethod::CopyImage;
        let Some(writable) = &self.writable else {
            if copies {
                return Err(Fault::Invalid("There is no other store that the image could be copied to.".to_owned()));
            }
            if !import.all_must_succeed {
                let words = "All_stores_must_succeed can only be set with enabled_backends";
                return Err(Fault::Invalid(words.to_owned()));
            }
            return Ok(None);
        };
        let mut stores = match &import.targets {
            Targets::Default => vec![self.default.clone()],
            Targets::All => writable.clone(),
            Targets::These(ids) => ids.clone(),
        };
        if let Some(unknown) = stores.iter().find(|it| !writable.contains(it) && !self.read_only.contains(it)) {
            let unknown: String = unknown.chars().take(80).collect();
            return Err(Fault::Conflict(format!("Store for identifier {unknown} not found")));
        }
        if copies {
            let has = |id: &String| image.locations.iter().any(|it| it.store() == Some(id));
            if import.targets == Targets::All {
                stores.retain(|it| !has(it));
            } else if let Some(there) = stores.iter().find(|it| has(it)) {
                return Err(Fault::Invalid(format!("Image is already present at store '{there}'")));
            }
        }
        Ok(Some(stores))
    }
}

impl Staged {
    /// Whether it has the data of this row.
    pub(super) fn has(&self, row: &imports::Import) -> bool {
        row.staging.as_deref() == Some(self.id.as_str())
    }
}
