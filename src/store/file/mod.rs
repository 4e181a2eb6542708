//! The file store, in Glance's layout: `<filesystem_store_datadir>/<image id>`, URL `file:///datadir/<image id>`.
//!
//! Data is written to an aside file in the same folder (a cache's: in a folder of its own), which Glance never looks at,
//! and linked to its name when it is complete and safe. A lock on the aside file says that its writer lives; one without a lock was left by a crash.

mod aside;
mod locate;
mod read;
mod write;

use crate::image::ImageId;
use crate::store::{Blocks, OpenError, Room, Settings, Store, StoreError, Writing};
use futures_util::{FutureExt, future::BoxFuture};
use std::{
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The file store.
pub(super) struct FileStore {
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
    /// Makes the folder when it is missing (as Glance does); removes leftovers of a crash.
    pub(super) fn open(name: &str, settings: &Settings) -> Result<Self, OpenError> {
        Self::open_with(name, settings, None)
    }

    /// Likewise; aside files stand in `unfinished`, a name in the folder.
    pub(super) fn open_with(name: &str, settings: &Settings, unfinished: Option<&str>) -> Result<Self, OpenError> {
        let configured = &settings.filesystem_store_datadir;
        let failed = |step| move |source| OpenError::Folder { path: configured.clone(), step, source };
        let path = std::path::absolute(configured).map_err(failed("found"))?;
        fs::create_dir_all(&path).map_err(failed("made"))?;
        let real = fs::canonicalize(&path).map_err(failed("found"))?;
        if path.to_str().is_none_or(|it| it.contains(char::is_control)) {
            return Err(failed("written as a URL")(io::ErrorKind::InvalidFilename.into()));
        }
        let unfinished = unfinished.map_or_else(|| path.clone(), |it| path.join(it));
        fs::create_dir_all(&unfinished).map_err(failed("made"))?;
        let folder = Folder {
            name: name.to_owned(),
            path,
            unfinished,
            real,
            mode: settings.filesystem_store_file_perm.mode(),
            sparse: settings.filesystem_thin_provisioning,
        };
        aside::remove_leftovers(&folder.unfinished).map_err(failed("read"))?;
        Ok(Self { folder: Arc::new(folder) })
    }
}

impl Store for FileStore {
    fn name(&self) -> &str {
        &self.folder.name
    }

    fn schemes(&self) -> &'static [&'static str] {
        &locate::SCHEMES
    }

    /// Looks at the folder when it is written otherwise.
    fn owns(&self, url: &str) -> bool {
        self.folder.locate(url).is_ok()
    }

    fn url(&self, id: &ImageId) -> String {
        self.folder.url(id.as_str())
    }

    fn read<'a>(&'a self, url: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Blocks, StoreError>> {
        read::read(self.folder.clone(), url, range).boxed()
    }

    fn write<'a>(
        &'a self,
        id: &'a ImageId,
        expected: Option<u64>,
    ) -> BoxFuture<'a, Result<Box<dyn Writing>, StoreError>> {
        write::begin(self.folder.clone(), id, expected).boxed()
    }

    fn size<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<u64, StoreError>> {
        let folder = self.folder.clone();
        async move {
            let path = folder.locate(url)?;
            let url = url.to_owned();
            blocking(move || Ok(read::open(&folder, &path, &url)?.1)).await
        }
        .boxed()
    }

    fn remove<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        let folder = self.folder.clone();
        async move {
            let path = folder.locate(url)?;
            let url = url.to_owned();
            blocking(move || {
                fs::remove_file(&path).map_err(|e| folder.failed_at("removing", &path, &url, e))?;
                aside::sync_folder(&folder.path).map_err(|e| folder.failed("syncing", &folder.path, &url, e))
            })
            .await
        }
        .boxed()
    }

    fn room(&self) -> BoxFuture<'_, Result<Option<Room>, StoreError>> {
        let folder = self.folder.clone();
        blocking(move || {
            let room = folder.room().map_err(|e| folder.failed("measuring", &folder.path, "", e))?;
            Ok(Some(room))
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
