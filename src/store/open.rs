//! Which back ends there are.

use crate::store::{OpenError, Settings, Store, file::FileStore};
use std::sync::Arc;

/// The kinds of Glance, by the names of `stores` and `enabled_backends`.
const KINDS: [&str; 7] = ["file", "http", "rbd", "swift", "s3", "cinder", "vmware"];

/// Opens the store; removes what a crash left half-written. Blocking.
pub fn open(settings: &Settings) -> Result<Arc<dyn Store>, OpenError> {
    let kind = settings.default_store.as_str();
    match kind {
        // Glance takes both names, as its URLs have both schemes.
        "file" | "filesystem" => Ok(Arc::new(FileStore::open("file", settings)?)),
        "http" | "https" | "rbd" | "swift" | "s3" | "cinder" | "vmware" | "vsphere" => {
            Err(OpenError::NotBuilt { kind: kind.to_owned() })
        }
        _ => Err(OpenError::Unknown { kind: kind.chars().take(80).collect(), known: KINDS.join(", ") }),
    }
}
