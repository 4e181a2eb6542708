//! What plugins change of an image besides its data.

use super::Inject;
use crate::diskformat::Inspection;
use crate::image::{
    Image,
    attribute::{is_base, is_reserved},
};
use std::collections::BTreeMap;

/// What the image gets with its data, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::catalogue::service) struct Changes {
    set: BTreeMap<String, String>,
    /// Likewise, unless the image has them.
    proposed: BTreeMap<&'static str, String>,
    /// The bytes that a guest sees, where they are known of an image that is not `bare`.
    virtual_size: Option<u64>,
    /// Its new `disk_format` and `container_format`.
    formats: Option<(String, String)>,
}

// === impl Changes ===

impl Changes {
    /// What the operator injects into images of callers with these roles.
    pub(super) fn inject(&mut self, inject: &Inject, roles: &[String]) {
        let ignored = |role: &String| inject.ignore_user_roles.iter().any(|it| it.eq_ignore_ascii_case(role));
        if !roles.iter().any(ignored) {
            inject.properties.iter().for_each(|(name, value)| self.set(name, value));
        }
    }

    /// What a guest sees of data that stays as it is: whole sectors (as qemu-img tells it).
    pub(super) fn note_disk(&mut self, found: &Inspection) {
        self.virtual_size = found.virtual_size.map(|it| it.next_multiple_of(512));
    }

    /// The `virtual_size` of an image of which nothing else tells it.
    pub(in crate::catalogue::service::imports) fn virtual_size(&self) -> Option<u64> {
        self.virtual_size
    }

    /// The image gets this unless the user has set it.
    pub(super) fn propose(&mut self, name: &'static str, value: String) {
        self.proposed.insert(name, value);
    }

    /// The data is of another format now.
    pub(in crate::catalogue::service::imports) fn become_(&mut self, disk_format: &str, container_format: &str) {
        self.formats = Some((disk_format.to_owned(), container_format.to_owned()));
    }

    /// The image gets this property; not what every image has or Glance keeps for itself.
    pub(in crate::catalogue::service::imports) fn set(&mut self, name: &str, value: &str) {
        if !is_base(name) && !is_reserved(name) {
            self.set.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Changes the image.
    pub(in crate::catalogue::service) fn apply(&self, image: &mut Image) {
        for (name, value) in &self.proposed {
            image.properties.entry((*name).to_owned()).or_insert_with(|| Some(value.clone()));
        }
        for (name, value) in &self.set {
            image.properties.insert(name.clone(), Some(value.clone()));
        }
        if let Some((disk, container)) = &self.formats {
            (image.disk_format, image.container_format) = (Some(disk.clone()), Some(container.clone()));
        }
    }
}
