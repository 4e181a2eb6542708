//! Files that plugins need beside the staged data.
//!
//! Each attempt at an import has a folder of its own, `<staging>/.larder-plugins/<image id>.<attempt>.<process>`: a process
//! that only seemed dead is in nobody's way, and whoever takes the import over knows what to remove.

use super::Changes;
use crate::base::chain;
use crate::catalogue::{
    service::{
        BoxError, Service,
        imports::{source::Source, staging::Staged},
    },
    tables::imports,
};
use crate::image::ImageId;
use crate::store::{self, Store};
use futures_util::{StreamExt, TryStreamExt};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The folder in that of staging.
const FOLDER: &str = ".larder-plugins";

/// What is being written stands there.
const UNFINISHED: &str = ".larder-unfinished";

/// The folder of one attempt, with all that is in it for as long as this lives.
pub(in crate::catalogue::service::imports) struct Scratch {
    folder: PathBuf,
    id: ImageId,
}

/// A file of image data.
#[derive(Clone)]
pub(super) struct Held {
    store: Arc<dyn Store>,
    pub(super) path: PathBuf,
    pub(super) size: u64,
}

// === impl Scratch ===

impl Scratch {
    /// Removes what earlier attempts left, and makes the folder. Blocks.
    fn make(staging: &Path, row: &imports::Import, process: &str) -> io::Result<Self> {
        let all = staging.join(FOLDER);
        fs::create_dir_all(&all)?;
        remove_of(staging, &row.image)?;
        let folder = all.join(format!("{}.{}.{process}", row.image, row.attempts));
        fs::create_dir(&folder)?;
        Ok(Self { folder, id: row.image.clone() })
    }

    /// Where a file of that name goes.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name).join(self.id.as_str())
    }

    /// Makes the place of that name. Blocks.
    pub(super) fn store(&self, name: &str) -> Result<Arc<dyn Store>, BoxError> {
        Ok(store::open_folder(name, &self.folder.join(name), UNFINISHED)?)
    }

    /// A file that stands there.
    pub(super) fn held(&self, store: Arc<dyn Store>, name: &str, size: u64) -> Held {
        Held { store, path: self.path(name), size }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let folder = std::mem::take(&mut self.folder);
        let remove = move || {
            if let Err(error) = fs::remove_dir_all(&folder)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(folder = %folder.display(), %error, "what a plugin left is removed later");
            }
        };
        // To free the blocks of a large file takes a while.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

// === impl Held ===

impl Held {
    /// The data in it.
    pub(super) async fn source(self, id: &ImageId) -> Result<Source, store::StoreError> {
        let blocks = self.store.read(&self.store.url(id), 0..self.size).await?;
        Ok(Source {
            body: blocks.map_err(BoxError::from).boxed(),
            size: Some(self.size),
            file: Some(self.path),
            changes: Changes::default(),
        })
    }
}

impl Service {
    /// A folder for this attempt.
    pub(super) async fn scratch(&self, row: &imports::Import) -> Result<Scratch, BoxError> {
        let folder = self.staging().await?.folder.clone();
        let (row, process) = (row.clone(), self.process().id.clone());
        Ok(tokio::task::spawn_blocking(move || Scratch::make(&folder, &row, &process)).await??)
    }
}

impl Staged {
    /// Removes what plugins left of this image. Blocks.
    pub(in crate::catalogue::service::imports) fn remove_scratch(&self, id: &ImageId) {
        if let Err(error) = remove_of(&self.folder, id) {
            tracing::warn!(image.id = %id, error = %chain(&error), "what a plugin left cannot be removed yet");
        }
    }
}

/// The images of which something is there.
pub(in crate::catalogue::service::imports) fn images(staging: &Path) -> io::Result<Vec<(ImageId, PathBuf)>> {
    let entries = match fs::read_dir(staging.join(FOLDER)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let id = name.to_str().and_then(|it| it.split('.').next()).and_then(|it| it.parse().ok());
        found.extend(id.map(|it| (it, entry.path())));
    }
    Ok(found)
}

fn remove_of(staging: &Path, id: &ImageId) -> io::Result<()> {
    for (_, path) in images(staging)?.into_iter().filter(|it| it.0 == *id) {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
