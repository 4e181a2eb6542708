//! The file store, in Glance's layout: `<filesystem_store_datadir>/<image id>`, URL `file:///datadir/<image id>`.
//!
//! Data is written to an aside file in the same folder (a cache's: in a folder of its own), which Glance never looks at,
//! and linked to its name when it is complete and safe. A lock on the aside file says that its writer lives; one without a lock was left by a crash.
//!
//! There may be several folders (`filesystem_store_datadirs`): new data goes to the one with the highest priority that has
//! room for it, and of those that are equal to the one with the most room (Glance's order).

mod aside;
mod choice;
mod locate;
mod mounts;
mod read;
mod write;

use crate::image::ImageId;
use crate::store::{Blocks, DataDir, OpenError, Room, Settings, Store, StoreError, Writing};
use futures_util::{FutureExt, future::BoxFuture};
use mounts::Mounts;
use serde_json::{Map, Value};
use std::{
    cmp::Reverse,
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The file store.
pub(super) struct FileStore {
    name: String,
    /// The highest priority first; there is at least one.
    folders: Arc<[Ranked]>,
    mounts: Mounts,
}

/// A folder and its rank.
pub(super) struct Ranked {
    priority: i64,
    folder: Arc<Folder>,
}

/// The folder and how files in it are made.
pub(super) struct Folder {
    name: String,
    /// As configured: URLs are made of it.
    path: PathBuf,
    /// Without symbolic links: URLs of a store that was moved behind a link are in it too.
    real: PathBuf,
    /// Where aside files stand; on the same file system.
    unfinished: PathBuf,
    mode: Option<u32>,
    sparse: bool,
}

// === impl FileStore ===

impl FileStore {
    /// Makes the folders when they are missing (as Glance does); removes leftovers of a crash.
    pub(super) fn open(name: &str, settings: &Settings) -> Result<Self, OpenError> {
        Self::open_with(name, settings, None)
    }

    /// Likewise; aside files stand in `unfinished`, a name in the folder.
    pub(super) fn open_with(name: &str, settings: &Settings, unfinished: Option<&str>) -> Result<Self, OpenError> {
        let mut dirs = settings.datadirs();
        dirs.sort_by_key(|it| Reverse(it.priority));
        let mut folders: Vec<Ranked> = Vec::with_capacity(dirs.len());
        for DataDir { path, priority } in dirs {
            let folder = Folder::open(name, &path, settings, unfinished)?;
            match folders.iter().find(|it| it.folder.real == folder.real) {
                // Twice with the same words only deserves a warning, as in Glance.
                Some(it) if it.priority == priority && it.folder.path == folder.path => {
                    tracing::warn!(path = %path.display(), "filesystem_store_datadirs has this folder more than once");
                }
                Some(_) => return Err(OpenError::SameFolder { path }),
                None => folders.push(Ranked { priority, folder: Arc::new(folder) }),
            }
        }
        let mounts = Mounts::read(settings.filesystem_store_metadata_file.as_deref())?;
        Ok(Self { name: name.to_owned(), folders: folders.into(), mounts })
    }

    /// The folder that a URL is of, and its file there.
    fn locate(&self, url: &str) -> Result<(Arc<Folder>, PathBuf), StoreError> {
        let mut why = None;
        for Ranked { folder, .. } in self.folders.iter() {
            match folder.locate(url) {
                Ok(path) => return Ok((Arc::clone(folder), path)),
                Err(error) => why = why.or(Some(error)),
            }
        }
        Err(why.unwrap_or_else(|| StoreError::NotFound { url: url.to_owned() }))
    }
}

impl Folder {
    fn open(name: &str, configured: &Path, settings: &Settings, unfinished: Option<&str>) -> Result<Self, OpenError> {
        let failed = |step| move |source| OpenError::Folder { path: configured.to_owned(), step, source };
        let path = std::path::absolute(configured).map_err(failed("found"))?;
        fs::create_dir_all(&path).map_err(failed("made"))?;
        let real = fs::canonicalize(&path).map_err(failed("found"))?;
        if path.to_str().is_none_or(|it| it.contains(char::is_control)) {
            return Err(failed("written as a URL")(io::ErrorKind::InvalidFilename.into()));
        }
        let unfinished = unfinished.map_or_else(|| path.clone(), |it| path.join(it));
        fs::create_dir_all(&unfinished).map_err(failed("made"))?;
        let folder = Self {
            name: name.to_owned(),
            path,
            unfinished,
            real,
            mode: settings.filesystem_store_file_perm.mode(),
            sparse: settings.filesystem_thin_provisioning,
        };
        aside::remove_leftovers(&folder.unfinished).map_err(failed("read"))?;
        Ok(folder)
    }
}

impl Store for FileStore {
    fn name(&self) -> &str {
        &self.name
    }

    fn schemes(&self) -> &'static [&'static str] {
        &locate::SCHEMES
    }

    /// Looks at the folders when it is written otherwise.
    fn owns(&self, url: &str) -> bool {
        self.locate(url).is_ok()
    }

    /// In its folders alone: nothing else is ever opened.
    fn reads(&self, url: &str) -> bool {
        self.owns(url)
    }

    /// In the folder of the highest priority.
    fn url(&self, id: &ImageId) -> String {
        self.folders.first().map(|it| it.folder.url(id.as_str())).unwrap_or_default()
    }

    fn urls(&self, id: &ImageId) -> Vec<String> {
        self.folders.iter().map(|it| it.folder.url(id.as_str())).collect()
    }

    fn metadata(&self, url: &str) -> Map<String, Value> {
        self.mounts.of(url)
    }

    fn read<'a>(&'a self, url: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Blocks, StoreError>> {
        async move {
            let (folder, path) = self.locate(url)?;
            read::read(folder, path, url, range).await
        }
        .boxed()
    }

    fn write<'a>(
        &'a self,
        id: &'a ImageId,
        expected: Option<u64>,
    ) -> BoxFuture<'a, Result<Box<dyn Writing>, StoreError>> {
        async move {
            let folders = Arc::clone(&self.folders);
            let folder = blocking(move || choice::choose(&folders, expected)).await?;
            write::begin(folder, id, expected).await
        }
        .boxed()
    }

    fn size<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<u64, StoreError>> {
        async move {
            let (folder, path) = self.locate(url)?;
            let url = url.to_owned();
            blocking(move || Ok(read::open(&folder, &path, &url)?.1)).await
        }
        .boxed()
    }

    fn remove<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let (folder, path) = self.locate(url)?;
            let url = url.to_owned();
            blocking(move || {
                fs::remove_file(&path).map_err(|e| folder.failed_at("removing", &path, &url, e))?;
                aside::sync_folder(&folder.path).map_err(|e| folder.failed("syncing", &folder.path, &url, e))
            })
            .await
        }
        .boxed()
    }

    fn tidy(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        let folders = Arc::clone(&self.folders);
        blocking(move || {
            folders.iter().try_for_each(|Ranked { folder, .. }| {
                let unfinished = &folder.unfinished;
                aside::remove_leftovers(unfinished).map_err(|e| folder.failed("tidying", unfinished, "", e))
            })
        })
        .boxed()
    }

    fn room(&self) -> BoxFuture<'_, Result<Option<Room>, StoreError>> {
        let folders = Arc::clone(&self.folders);
        blocking(move || {
            let measured = folders.iter().map(|Ranked { folder, .. }| {
                folder.room().map_err(|e| folder.failed("measuring", &folder.path, "", e))
            });
            // What one image may take.
            Ok(measured.collect::<Result<Vec<_>, _>>()?.into_iter().max_by_key(|it| it.free))
        })
        .boxed()
    }
}

// === impl Folder ===

impl Folder {
    fn room(&self) -> io::Result<Room> {
        Ok(Room { free: fs2::available_space(&self.path)?, total: fs2::total_space(&self.path)? })
    }

    fn full(&self, wanted: Option<u64>) -> StoreError {
        let free = self.room().map(|it| it.free).unwrap_or_default();
        StoreError::Full { path: self.path.clone(), free, wanted }
    }

    /// The error that a failed system call on the data at `url` stands for.
    fn failed_at(&self, step: &'static str, path: &Path, url: &str, source: io::Error) -> StoreError {
        match source.kind() {
            io::ErrorKind::NotFound => StoreError::NotFound { url: url.to_owned() },
            _ => self.failed(step, path, url, source),
        }
    }

    /// The error that a failed system call on `path` stands for.
    fn failed(&self, step: &'static str, path: &Path, url: &str, source: io::Error) -> StoreError {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::AlreadyExists => StoreError::Duplicate { url: url.to_owned() },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => self.full(None),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                StoreError::Denied { step, path, source }
            }
            _ => StoreError::Io { step, path, source },
        }
    }
}

/// Runs blocking work off the executor.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| {
        Err(StoreError::Io { step: "working in", path: PathBuf::from("the file store"), source: io::Error::other(e) })
    })
}
