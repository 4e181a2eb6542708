//! What nova.conf says to nova-compute, where the agent must know it but does not do it itself.

use std::path::PathBuf;

/// Options of nova-compute; the defaults are Nova's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NovaSays {
    /// The files that were read; none: there is no nova.conf, and all that follows is assumed.
    pub files: Vec<PathBuf>,
    /// `[image_cache] remove_unused_base_images`, for nova-compute itself.
    pub remove_unused_base_images: bool,
    /// `[image_cache] remove_unused_original_minimum_age_seconds`, likewise.
    pub remove_unused_original_minimum_age_seconds: u64,
    /// `[image_cache] manager_interval`, seconds; -1 switches its passes off.
    pub manager_interval: i64,
    /// `run_external_periodic_tasks`: off, there are no passes either.
    pub run_external_periodic_tasks: bool,
    /// `[oslo_concurrency] disable_process_locking`: nova takes no lock files.
    pub disable_process_locking: bool,
    /// `preallocate_images`: `none` or `space`.
    pub preallocate_images: String,
    /// `[workarounds] reserve_disk_resource_for_image_cache`: the cache counts as used disk.
    pub reserve_disk_resource_for_image_cache: bool,
    /// Whether nova-compute verifies signatures of what it downloads: `[glance] verify_glance_signatures`, or
    /// `default_trusted_certificate_ids` with `enable_certificate_validation`.
    pub verifies_signatures: bool,
    /// `[glance] endpoint_override`, or the first of `api_servers`: where it asks for images.
    pub glance_endpoint: Option<String>,
}

// === impl NovaSays ===

impl Default for NovaSays {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            remove_unused_base_images: true,
            remove_unused_original_minimum_age_seconds: 86_400,
            manager_interval: 2400,
            run_external_periodic_tasks: true,
            disable_process_locking: false,
            preallocate_images: "none".to_owned(),
            reserve_disk_resource_for_image_cache: false,
            verifies_signatures: false,
            glance_endpoint: None,
        }
    }
}

impl NovaSays {
    /// Whether nova's image cache manager makes its passes at all.
    pub(super) fn passes(&self) -> bool {
        self.manager_interval != -1 && self.run_external_periodic_tasks
    }

    /// Whether nova-compute removes bases.
    pub fn prunes(&self) -> bool {
        self.passes() && self.remove_unused_base_images
    }
}
