//! Which back ends there are.

use crate::store::{
    OpenError, Settings, Store,
    file::FileStore,
    http::{Filtering, HttpStore},
    rbd::RbdStore,
    s3::S3Store,
    swift::SwiftStore,
};
use std::{path::Path, sync::Arc};

/// The kinds of Glance, by the names of `stores` and `enabled_backends`.
pub const KINDS: [&str; 7] = ["file", "http", "rbd", "swift", "s3", "cinder", "vmware"];

/// Those that this build has.
pub const BUILT: [&str; 5] = ["file", "http", "rbd", "s3", "swift"];

/// A folder of files by image id, as a store; what is being written stands in `unfinished`, a folder in it. Makes both,
/// removes what a crash left half-written. Blocking.
///
/// # Errors
/// [`OpenError::Folder`].
pub fn open_folder(name: &str, path: &Path, unfinished: &str) -> Result<Arc<dyn Store>, OpenError> {
    let settings = Settings { filesystem_store_datadir: path.to_owned(), ..Settings::default() };
    Ok(Arc::new(FileStore::open_with(name, &settings, Some(unfinished))?))
}

/// Opens the store of the kind `default_store`; removes what a crash left half-written. Web servers are asked as
/// `[import_filtering_opts]` says when nobody sets anything. Blocking.
///
/// # Errors
/// [`OpenError`].
pub fn open(settings: &Settings) -> Result<Arc<dyn Store>, OpenError> {
    open_as(None, settings, &Filtering::default())
}

/// Likewise; `name` is what it is called, without one its kind.
pub(super) fn open_as(name: Option<&str>, settings: &Settings, rules: &Filtering) -> Result<Arc<dyn Store>, OpenError> {
    let kind = settings.default_store.as_str();
    match kind {
        // Glance takes both names, as its URLs have both schemes.
        "file" | "filesystem" => Ok(Arc::new(FileStore::open(name.unwrap_or("file"), settings)?)),
        "http" | "https" => Ok(Arc::new(HttpStore::open(name.unwrap_or("http"), settings, rules)?)),
        "s3" | "s3+http" | "s3+https" => Ok(Arc::new(S3Store::open(name.unwrap_or("s3"), &settings.s3)?)),
        "rbd" => Ok(Arc::new(RbdStore::open(name.unwrap_or("rbd"), &settings.rbd)?)),
        "cinder" | "vmware" | "vsphere" => Err(OpenError::NotBuilt { kind: kind.to_owned() }),
        "swift" | "swift+http" | "swift+https" | "swift+config" => {
            Ok(Arc::new(SwiftStore::open(name.unwrap_or("swift"), &settings.swift)?))
        }
        _ => Err(OpenError::Unknown { kind: kind.chars().take(80).collect(), known: KINDS.join(", ") }),
    }
}
