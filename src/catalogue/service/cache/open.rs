//! The cache's folder, and the name of this node.

use super::{Driver, Settings, queue::Queue};
use crate::base::atomic_file;
use crate::catalogue::{service::Fault, tables::cached};
use crate::db::{Db, DbError};
use crate::image::ImageId;
use crate::store::{self, Store};
use std::{
    collections::{HashSet, VecDeque},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, Semaphore};

/// Images that downloads fill the cache with at the same time; each may hold some MiB of memory.
const FILLS: usize = 8;

/// Images that wait for the prefetcher because a download was too fast for the cache's disk.
const WANTED: usize = 64;

/// Where unfinished files stand in the folder, as in Glance's layout.
pub(super) const INCOMPLETE: &str = "incomplete";

/// Where Glance leaves files that did not get done.
pub(super) const INVALID: &str = "invalid";

/// The cache of this node.
pub(crate) struct Cache {
    pub(super) settings: Settings,
    pub(super) dir: PathBuf,
    pub(super) files: Arc<dyn Store>,
    pub(super) queue: Queue,
    /// The key of this node in `node_reference`.
    pub(super) node: i64,
    /// What this process writes.
    pub(super) filling: Mutex<HashSet<ImageId>>,
    pub(super) fills: Arc<Semaphore>,
    /// What a download could not keep up with; fetched as if it had been queued.
    pub(super) wanted: Mutex<VecDeque<ImageId>>,
    /// Says that there is something to fetch.
    pub(super) wake: Notify,
    /// Prunes follow each other, so that two do not both remove what one would have.
    pub(super) pruning: tokio::sync::Mutex<()>,
}

/// The cache cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Glance refuses to start then, too.
    #[error(
        "'worker_self_reference_url' needs to be set if `centralized_db` is defined as cache driver for \
         image_cache_driver config option: set it to this node's own URL, or set image_cache_driver = sqlite"
    )]
    NoName,
    /// A URL that the table has no room for.
    #[error("worker_self_reference_url is longer than 255 characters")]
    LongName,
    /// A part of the folder.
    #[error("image_cache_dir: {} cannot be {step}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// `made`, `written`…
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The files in it.
    #[error("image_cache_dir cannot be used")]
    Files(#[from] store::OpenError),
    /// The database.
    #[error("this node's record of cached images cannot be used")]
    Db(#[from] DbError),
    /// The thread that opened it.
    #[error("opening the image cache broke off")]
    BrokeOff,
}

// === impl Cache ===

impl Cache {
    /// Opens the cache, when there is one.
    pub(crate) async fn open(db: &Db, settings: &Settings, url: Option<&str>) -> Result<Option<Self>, CacheError> {
        let Some(dir) = settings.image_cache_dir.clone() else {
            if settings.caching {
                tracing::warn!(
                    "[paste_deploy] flavor asks for caching, but image_cache_dir is not set: nothing is cached"
                );
            }
            return Ok(None);
        };
        let url = url.filter(|_| settings.image_cache_driver == Driver::CentralizedDb).map(str::to_owned);
        if url.is_none() && settings.image_cache_driver == Driver::CentralizedDb {
            if settings.caching {
                return Err(CacheError::NoName);
            }
            tracing::warn!(
                "image_cache_dir without worker_self_reference_url: other nodes are not told what is cached"
            );
        }
        let (folder, settings) = (dir.clone(), settings.clone());
        let opened = tokio::task::spawn_blocking(move || {
            let files = store::open_folder("cache", &folder, INCOMPLETE)?;
            for name in [INVALID, "queue"] {
                made(&folder.join(name))?;
            }
            let url = url.map_or_else(|| own_name(&folder), Ok)?;
            Ok::<_, CacheError>((files, url))
        });
        let (files, url) = opened.await.unwrap_or(Err(CacheError::BrokeOff))?;
        if url.chars().count() > 255 {
            return Err(CacheError::LongName);
        }
        Ok(Some(Self {
            node: node(db, url).await?,
            queue: Queue::new(dir.join("queue")),
            settings,
            dir,
            files,
            filling: Mutex::default(),
            fills: Arc::new(Semaphore::new(FILLS)),
            wanted: Mutex::default(),
            wake: Notify::new(),
            pruning: tokio::sync::Mutex::default(),
        }))
    }

    pub(super) fn filling(&self) -> MutexGuard<'_, HashSet<ImageId>> {
        self.filling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wanted(&self) -> MutexGuard<'_, VecDeque<ImageId>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has an image fetched in the background, if there is room in the list: at once, or when what fills it now has ended.
    pub(super) fn want(&self, id: &ImageId) {
        {
            let mut wanted = self.wanted();
            if wanted.len() >= WANTED || wanted.contains(id) {
                return;
            }
            wanted.push_back(id.clone());
        }
        // Whoever ends filling it looks at the list after that: one of the two sees the other.
        if !self.filling().contains(id) {
            self.wake.notify_one();
        }
    }

    /// Nothing fills this image any more.
    pub(super) fn filled(&self, id: &ImageId) {
        self.filling().remove(id);
        if self.wanted().contains(id) {
            self.wake.notify_one();
        }
    }

    /// Bytes of an image's file; none when there is none that can be read.
    pub(super) async fn size(&self, id: &ImageId) -> Option<u64> {
        self.files.size(&self.files.url(id)).await.ok()
    }

    /// Removes an image's file; none when there was none.
    pub(super) async fn remove_file(&self, id: &ImageId) -> Result<Option<u64>, Fault> {
        let url = self.files.url(id);
        let size = self.size(id).await;
        match self.files.remove(&url).await {
            Ok(()) => Ok(size.or(Some(0))),
            Err(store::StoreError::NotFound { .. }) => Ok(None),
            Err(other) => Err(Fault::internal(other)),
        }
    }
}

/// Two processes of a site may start at the same moment: the second one finds what the first has entered.
async fn node(db: &Db, url: String) -> Result<i64, DbError> {
    let (first, second) = (url.clone(), url);
    match db.write::<_, DbError, _>(move |tx| cached::node(tx, &first)).await {
        Err(DbError::Duplicate) => db.write::<_, DbError, _>(move |tx| cached::node(tx, &second)).await,
        other => other,
    }
}

/// A name for this folder that lasts as long as the folder does.
fn own_name(dir: &Path) -> Result<String, CacheError> {
    let path = dir.join("larder").join("node");
    if let Ok(name) = fs::read_to_string(&path)
        && name.trim().starts_with("larder:")
    {
        return Ok(name.trim().to_owned());
    }
    made(&dir.join("larder"))?;
    let name = format!("larder:{}", uuid::Uuid::new_v4());
    let failed = |source| CacheError::Folder { path: path.clone(), step: "written", source };
    atomic_file::write(&path, format!("{name}\n").as_bytes()).map_err(failed)?;
    Ok(name)
}

fn made(path: &Path) -> Result<(), CacheError> {
    fs::create_dir_all(path).map_err(|source| CacheError::Folder { path: path.to_owned(), step: "made", source })
}
