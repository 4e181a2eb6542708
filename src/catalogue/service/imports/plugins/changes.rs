//! What plugins change of an image besides its data.

use super::Inject;
use crate::image::Image;
use std::collections::BTreeMap;

/// What Glance keeps for itself.
const RESERVED: &str = "os_glance_";

/// Properties, which the image gets with its data or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::catalogue::service::imports) struct Changes {
    set: BTreeMap<String, String>,
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

    /// Changes the image.
    pub(in crate::catalogue::service::imports) fn apply(&self, image: &mut Image) {
        for (name, value) in &self.set {
            image.properties.insert(name.clone(), Some(value.clone()));
        }
    }
}
