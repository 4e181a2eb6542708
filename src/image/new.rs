//! What a client says when it makes an image.

use crate::image::{Image, ImageId, Status, Visibility};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// An image to be made; what is left out gets the API's default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewImage {
    /// Chosen by the client, or none: then the server chooses.
    pub id: Option<ImageId>,
    /// At most 255 characters.
    pub name: Option<String>,
    /// `shared` unless said.
    pub visibility: Option<Visibility>,
    /// The owner that was asked for; `None` when nothing was said (the caller's project), `Some(None)` for a null.
    pub owner: Option<Option<String>>,
    /// Refuses deletion.
    pub protected: bool,
    /// Left out of listings.
    pub hidden: bool,
    /// GiB.
    pub min_disk: i32,
    /// MiB.
    pub min_ram: i32,
    /// May come later, before the data.
    pub disk_format: Option<String>,
    /// May come later, before the data.
    pub container_format: Option<String>,
    /// Words on it.
    pub tags: BTreeSet<String>,
    /// Every key that is no base attribute.
    pub properties: BTreeMap<String, Option<String>>,
}

// === impl NewImage ===

impl NewImage {
    /// The queued image that this describes. `id` and `project` count where the client said nothing.
    pub fn into_image(self, id: ImageId, project: Option<String>, now: DateTime<Utc>) -> Image {
        Image {
            id: self.id.unwrap_or(id),
            name: self.name,
            status: Status::Queued,
            visibility: self.visibility.unwrap_or_default(),
            owner: self.owner.unwrap_or(project).filter(|it| !it.is_empty()),
            protected: self.protected,
            hidden: self.hidden,
            min_disk: self.min_disk,
            min_ram: self.min_ram,
            disk_format: self.disk_format,
            container_format: self.container_format,
            size: None,
            virtual_size: None,
            checksum: None,
            os_hash_algo: None,
            os_hash_value: None,
            created_at: now,
            updated_at: now,
            tags: self.tags,
            properties: self.properties,
            locations: Vec::new(),
        }
    }
}
