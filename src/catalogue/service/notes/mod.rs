//! Notifications: what has happened to images, their members, tasks and metadata definitions. Types and payloads are
//! Glance's (glance/notifier.py).
//!
//! They are said where a change has been committed, and never waited for. A process that dies in between leaves a change
//! that nobody is told of.

mod payload;
mod schemas;
mod sent;

pub(super) use sent::Receiver;

use crate::catalogue::service::Fault;
use crate::image::{
    Image, ImageId, Member, Status,
    metadef::{Association, Namespace, Object, Schema, Tag},
    task::Task,
};
use crate::messaging::{Note, Notifier, Priority};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// Says what has happened.
#[derive(Clone, Debug)]
pub(super) struct Notes(Notifier);

/// What happened to a thing that has a name in a namespace.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event<'a> {
    Created,
    /// Under this name it was known.
    Updated(&'a str),
    Deleted(DateTime<Utc>),
}

// === impl Notes ===

impl Notes {
    pub(super) fn new(notifier: Notifier) -> Self {
        Self(notifier)
    }

    /// The sender itself.
    pub(super) fn notifier(&self) -> &Notifier {
        &self.0
    }

    /// Whether anybody is told of images: what only notifications need is not read from the database otherwise.
    pub(super) fn tell_of_images(&self) -> bool {
        self.0.wants("image.update") || self.0.wants("image.upload") || self.0.wants("image.activate")
    }

    fn say(&self, priority: Priority, event: &'static str, payload: impl FnOnce() -> Value) {
        if self.0.wants(event) {
            self.0.send(&Note { priority, event, payload: payload() });
        }
    }

    fn info(&self, event: &'static str, payload: impl FnOnce() -> Value) {
        self.say(Priority::Info, event, payload);
    }

    pub(super) fn image_created(&self, image: &Image) {
        self.info("image.create", || payload::image(image));
    }

    pub(super) fn image_updated(&self, image: &Image) {
        self.info("image.update", || payload::image(image));
    }

    /// The image as it was, and what it is now.
    pub(super) fn image_deleted(&self, image: &Image, status: Status, now: DateTime<Utc>) {
        self.info("image.delete", || {
            let mut payload = payload::image(&Image { status, updated_at: now, ..image.clone() });
            payload::deleted(&mut payload, now);
            payload
        });
    }

    /// Data is about to go to a store, which is named where there are several.
    pub(super) fn preparing(&self, image: &Image, store: Option<&str>) {
        self.info("image.prepare", || {
            let mut payload = payload::image_with_import(image);
            if let Some(store) = store {
                payload["backend"] = json!(store);
            }
            payload
        });
    }

    /// Data has come to a store.
    pub(super) fn uploaded(&self, image: &Image) {
        self.info("image.upload", || payload::image_with_import(image));
    }

    pub(super) fn activated(&self, image: &Image) {
        self.info("image.activate", || payload::image(image));
    }

    /// Data has not come to a store (Glance's words).
    pub(super) fn upload_failed(&self, id: &ImageId, fault: &Fault) {
        self.say(Priority::Error, "image.upload", || {
            json!(match fault {
                Fault::Gone(_) => format!(
                    "Image {id} could not be found after upload. The image may have been deleted during the upload: {fault}"
                ),
                _ => format!("Failed to upload image data for image {id} due to internal error: {fault}"),
            })
        });
    }

    pub(super) fn member(&self, event: Event<'_>, member: &Member) {
        let name = event.of(["image.member.create", "image.member.update", "image.member.delete"]);
        self.info(name, || event.on(payload::member(member)));
    }

    /// `create`, `run`, `processing`, `success` or `failure`, by the status; one that is pending was created.
    pub(super) fn task(&self, task: &Task, now: DateTime<Utc>) {
        let event = match task.status.as_str() {
            "pending" => "task.create",
            "processing" => "task.processing",
            "success" => "task.success",
            _ => "task.failure",
        };
        self.info(event, || payload::task(task, now));
    }

    /// Somebody works on it from now on.
    pub(super) fn task_runs(&self, task: &Task, now: DateTime<Utc>) {
        self.info("task.run", || payload::task(task, now));
    }

    pub(super) fn namespace(&self, event: Event<'_>, namespace: &Namespace) {
        let name = event.of(["metadef_namespace.create", "metadef_namespace.update", "metadef_namespace.delete"]);
        self.info(name, || event.under("namespace_old", schemas::namespace(namespace)));
    }

    /// All of a kind were deleted: `metadef_namespace.delete_…`.
    pub(super) fn namespace_cleared(&self, event: &'static str, namespace: &Namespace) {
        self.info(event, || schemas::namespace(namespace));
    }

    pub(super) fn object(&self, event: Event<'_>, namespace: &str, object: &Object) {
        let name = event.of(["metadef_object.create", "metadef_object.update", "metadef_object.delete"]);
        self.info(name, || event.under("name_old", schemas::object(namespace, object)));
    }

    pub(super) fn property(&self, event: Event<'_>, namespace: &str, (property, schema): (&str, &Schema)) {
        let name = event.of(["metadef_property.create", "metadef_property.update", "metadef_property.delete"]);
        self.info(name, || event.under("name_old", schemas::property(namespace, property, schema)));
    }

    pub(super) fn tag(&self, event: Event<'_>, namespace: &str, tag: &Tag) {
        let name = event.of(["metadef_tag.create", "metadef_tag.update", "metadef_tag.delete"]);
        self.info(name, || event.under("name_old", schemas::tag(namespace, tag)));
    }

    pub(super) fn association(&self, event: Event<'_>, namespace: &str, association: &Association) {
        // Glance knows no change of one.
        let name = event.of(["metadef_resource_type.create", "", "metadef_resource_type.delete"]);
        self.info(name, || event.on(schemas::association(namespace, association)));
    }
}

// === impl Event ===

impl Event<'_> {
    fn of(self, [create, update, delete]: [&'static str; 3]) -> &'static str {
        match self {
            Self::Created => create,
            Self::Updated(_) => update,
            Self::Deleted(_) => delete,
        }
    }

    fn on(self, mut payload: Value) -> Value {
        if let Self::Deleted(now) = self {
            payload::deleted(&mut payload, now);
        }
        payload
    }

    /// With the name by which it was known.
    fn under(self, field: &str, mut payload: Value) -> Value {
        if let Self::Updated(old) = self {
            payload[field] = json!(old);
        }
        self.on(payload)
    }
}
