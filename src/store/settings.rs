//! Settings of the stores, under Glance's names.

use crate::store::FilePerm;
use std::path::PathBuf;

/// The options of `[glance_store]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `default_store`: the back end's kind.
    pub default_store: String,
    /// `filesystem_store_datadir`: the folder of the file store; `<folder>/<image id>` is an image's data.
    pub filesystem_store_datadir: PathBuf,
    /// `filesystem_store_file_perm`: the mode of image files; 0 leaves what the umask gives.
    pub filesystem_store_file_perm: FilePerm,
    /// `filesystem_thin_provisioning`: runs of zeros become holes.
    pub filesystem_thin_provisioning: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            default_store: "file".to_owned(),
            filesystem_store_datadir: PathBuf::from("/var/lib/glance/images"),
            filesystem_store_file_perm: FilePerm::default(),
            filesystem_thin_provisioning: false,
        }
    }
}
