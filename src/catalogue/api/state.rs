//! What all handlers share.

use crate::catalogue::{
    Settings,
    service::{Fault, Service},
};
use crate::identity::Caller;
use crate::image::{Image, Status};
use crate::runtime::metrics;
use crate::wire::{Formats, image::Shown, versions::Abilities};
use metrics_exporter_prometheus::PrometheusHandle;
use std::sync::Arc;

/// The verbs, and what their translation to HTTP depends on.
pub(super) struct Api {
    pub(super) service: Arc<Service>,
    pub(super) abilities: Abilities,
    pub(super) metrics: Option<PrometheusHandle>,
}

/// The words of a route for an image that is not there, where Glance has particular ones.
pub(super) trait Worded<T> {
    /// `words` of the id that was asked for.
    fn no_image(self, words: impl Fn(&str) -> String) -> Result<T, Fault>;
}

/// A handler's way out.
pub(super) type Answer = Result<axum::response::Response, super::refusal::Refusal>;

// === impl Worded ===

impl<T> Worded<T> for Result<T, Fault> {
    fn no_image(self, words: impl Fn(&str) -> String) -> Self {
        self.map_err(|fault| match fault {
            Fault::NoImage(id) => Fault::NotFound(words(&id)),
            other => other,
        })
    }
}

// === impl Api ===

impl Api {
    pub(super) fn new(service: Arc<Service>) -> Self {
        let settings = service.settings();
        let abilities =
            Abilities { cache: settings.cache.image_cache_dir.is_some(), stores: !settings.store.backends.is_empty() };
        let metrics = settings.metrics.then(metrics::install);
        Self { abilities, metrics, service }
    }

    /// Those of the moment.
    pub(super) fn settings(&self) -> Arc<Settings> {
        self.service.settings()
    }

    /// The formats that images may have now.
    pub(super) fn formats(&self) -> Formats {
        let settings = self.settings();
        Formats {
            disk: settings.disk_formats.clone(),
            container: settings.container_formats.clone(),
            site: self.service.site_properties(),
        }
    }

    /// Which fields of `image` the caller sees: where the data of a deactivated image is, admins only.
    pub(super) fn shown(&self, caller: &Caller, image: &Image) -> Shown {
        let settings = self.settings();
        // The rule get_image_location is not asked (Glance's behaviour): whoever may boot an image needs its direct_url
        // to clone it.
        let places = caller.is_admin || image.status != Status::Deactivated;
        Shown {
            locations: settings.show_multiple_locations,
            places,
            direct_url: settings.show_image_direct_url && places,
            stores: self.abilities.stores && places,
            site: self.service.site_properties(),
        }
    }
}

/// For a path that names no image.
pub(super) fn no_image(id: &str) -> Fault {
    Fault::NoImage(id.chars().take(80).collect())
}
