//! From URLs to files, and never to a file elsewhere.

use crate::store::{StoreError, file::Folder};
use std::{
    fs,
    path::{Component, Path, PathBuf},
};

/// Glance's two schemes.
pub(super) const SCHEMES: [&str; 2] = ["file://", "filesystem://"];

/// What stands behind the scheme.
pub(super) fn path_of(url: &str) -> Option<&str> {
    SCHEMES.iter().find_map(|it| url.strip_prefix(it))
}

// === impl Folder ===

impl Folder {
    /// The URL of the file `name`. Nothing is percent-encoded, as in Glance.
    pub(super) fn url(&self, name: &str) -> String {
        format!("file://{}/{name}", self.path.display())
    }

    /// The file of a URL: a direct child of the folder, whichever way the folder is written.
    pub(super) fn locate(&self, url: &str) -> Result<PathBuf, StoreError> {
        let foreign = |why| StoreError::Foreign { url: url.chars().take(300).collect(), store: self.name.clone(), why };
        let path = path_of(url).ok_or_else(|| foreign("it is no file:// URL"))?;
        if !path.starts_with('/') {
            return Err(foreign("it names a host"));
        }
        if path.contains('\0') {
            return Err(foreign("it holds a NUL"));
        }
        let path = Path::new(path);
        if path.components().any(|it| matches!(it, Component::ParentDir))
            || path.as_os_str().as_encoded_bytes().ends_with(b"/")
        {
            return Err(foreign("it is no plain path of a file"));
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(foreign("it names no file"));
        };
        if name.as_encoded_bytes().starts_with(b".") {
            return Err(foreign("its name begins with a dot"));
        }
        let here =
            parent == self.path || parent == self.real || fs::canonicalize(parent).is_ok_and(|it| it == self.real);
        if here { Ok(self.path.join(name)) } else { Err(foreign("it is in another folder")) }
    }
}
