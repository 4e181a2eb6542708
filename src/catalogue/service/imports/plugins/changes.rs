//! What plugins change of an image besides its data.

use super::Inject;
use crate::image::Image;
use std::collections::BTreeMap;

/// What Glance keeps for itself.
const RESERVED: &str = "os_glance_";

/// What the image gets with its data, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::catalogue::service) struct Changes {
    set: BTreeMap<String, String>,
    /// Likewise, unless the image has them.
    proposed: BTreeMap<&'static str, String>,
    /// Its new `disk_format`; it is `bare` then.
    disk_format: Option<&'static str>,
}

// === impl Changes ===

impl Changes {
    /// What the operator injects into images of callers with these roles.
    pub(super) fn inject(&mut self, inject: &Inject, roles: &[String]) {
        let ignored = |role: &String| inject.ignore_user_roles.iter().any(|it| it.eq_ignore_ascii_case(role));
        if !roles.iter().any(ignored) {
            let open = inject.properties.iter().filter(|it| !it.0.starts_with(RESERVED));
            self.set.extend(open.map(|(name, value)| (name.clone(), value.clone())));
        }
    }

    /// The image gets this unless the user has set it.
    pub(super) fn propose(&mut self, name: &'static str, value: String) {
        self.proposed.insert(name, value);
    }

    /// The data is of another format now.
    pub(super) fn become_(&mut self, disk_format: &'static str) {
        self.disk_format = Some(disk_format);
    }

    /// Changes the image.
    pub(in crate::catalogue::service) fn apply(&self, image: &mut Image) {
        for (name, value) in &self.proposed {
            image.properties.entry((*name).to_owned()).or_insert_with(|| Some(value.clone()));
        }
        for (name, value) in &self.set {
            image.properties.insert(name.clone(), Some(value.clone()));
        }
        if let Some(format) = self.disk_format {
            image.disk_format = Some(format.to_owned());
            image.container_format = Some("bare".to_owned());
        }
    }
}
