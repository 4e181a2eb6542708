//! The folder where data stands that waits for its import, in Glance's layout: `<folder>/<image id>`.
//!
//! Machines may share it or have one each. A file in it names it, so that whoever takes an import over knows whether its
//! data is here.

use super::plugins::{Reserved, images_with_scratch};
use crate::base::chain;
use crate::catalogue::{
    service::{Fault, Service},
    tables::{images, imports, pending, staged, uploads},
};
use crate::db::DbError;
use crate::image::{ImageId, Status};
use crate::store::{self, Store, StoreError};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::OnceCell;

/// The store's name (Glance's).
const NAME: &str = "os_glance_staging_store";

/// What is being written stands there.
const UNFINISHED: &str = ".larder-unfinished";

/// The file that names the folder.
const MARK: &str = ".larder-staging";

/// A file that is younger may be of a request that has not said so yet.
const YOUNG: Duration = Duration::from_secs(60);

/// How long data of an image that is not known at all is kept.
const STRANGE: Duration = Duration::from_secs(86_400);

/// The folder, opened when it is needed.
pub(in crate::catalogue::service) struct Staging {
    folder: PathBuf,
    opened: OnceCell<Arc<Staged>>,
}

/// The folder, opened.
pub(in crate::catalogue::service) struct Staged {
    pub(super) store: Arc<dyn Store>,
    /// What names the folder, on whatever machine.
    pub(super) id: String,
    pub(super) folder: PathBuf,
    pub(super) reserved: Reserved,
}

// === impl Staging ===

impl Staging {
    pub(in crate::catalogue::service) fn new(folder: PathBuf) -> Self {
        Self { folder, opened: OnceCell::new() }
    }
}

impl Service {
    /// The staging folder.
    ///
    /// # Errors
    /// `Unavailable`; the log says why.
    pub(super) async fn staging(&self) -> Result<Arc<Staged>, Fault> {
        let staging = self.staging_folder();
        let opened = staging.opened.get_or_try_init(|| async {
            let folder = staging.folder.clone();
            tokio::task::spawn_blocking(move || Staged::open(folder)).await.unwrap_or_else(|died| Err(died.into()))
        });
        match opened.await {
            Ok(opened) => Ok(Arc::clone(opened)),
            Err(error) => {
                let folder = staging.folder.display();
                tracing::error!(%folder, error = %chain(&*error), "the staging folder cannot be used");
                Err(Fault::Unavailable("The staging folder cannot be used now.".to_owned()))
            }
        }
    }

    /// Removes the staged data of an image, and what plugins made of it, if it is here. What cannot be removed now, the
    /// sweep removes.
    pub(in crate::catalogue::service) async fn unstage(&self, id: &ImageId) {
        let folder = &self.staging_folder().folder;
        if !tokio::fs::try_exists(folder).await.unwrap_or(false) {
            return;
        }
        let Ok(staged) = self.staging().await else { return };
        match staged.store.remove(&staged.store.url(id)).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => {
                tracing::warn!(image.id = %id, error = %chain(&error), "staged data cannot be removed yet");
            }
        }
        let image = id.clone();
        // A panic there is logged, and the sweep comes again.
        let _ = tokio::task::spawn_blocking(move || staged.remove_scratch(&image)).await;
    }

    /// Removes what dead writers left half-written in the staging folder, if it is in use. What fails is logged.
    pub(crate) async fn tidy_staging(&self) {
        let Some(staged) = self.staging_folder().opened.get() else { return };
        if let Err(error) = staged.store.tidy().await {
            tracing::warn!(error = %chain(&error), "the staging folder is not tidied yet");
        }
    }

    /// Removes staged data that no image waits for.
    ///
    /// # Errors
    /// That of the database. Those of the folder are logged.
    pub(crate) async fn sweep_staging(&self) -> Result<(), Fault> {
        if !tokio::fs::try_exists(&self.staging_folder().folder).await.unwrap_or(false) {
            return Ok(());
        }
        let staged = self.staging().await?;
        let folder = staged.folder.clone();
        let found = tokio::task::spawn_blocking(move || old_files(&folder)).await.map_err(Fault::internal)?;
        for (id, age) in found.map_err(Fault::internal)? {
            if !self.is_wanted(id.clone(), age).await? {
                tracing::info!(image.id = %id, "removing staged data that no image waits for");
                self.unstage(&id).await;
            }
        }
        Ok(())
    }

    /// Whether an import of the image has begun or may come.
    async fn is_wanted(&self, id: ImageId, age: Duration) -> Result<bool, DbError> {
        let cipher = self.cipher().clone();
        let wanted = self.db().read::<_, DbError, _>(move |tx| {
            if imports::find(tx, &id)?.is_some() || uploads::is_under_way(tx, &id)? {
                return Ok(true);
            }
            let Some(image) = images::find(tx, &cipher, &id)? else {
                // What this database never heard of may be somebody else's.
                return Ok(age < STRANGE && pending::find(tx, id.as_str())?.is_none());
            };
            // A Glance on the same folder may be copying.
            let waits = matches!(image.status, Status::Uploading | Status::Importing);
            Ok(waits || image.properties.contains_key(super::lock::LOCK) || staged::folder_of(tx, &id)?.is_some())
        });
        wanted.await
    }
}

// === impl Staged ===

impl Staged {
    /// Where the staged data of an image stands.
    pub(super) fn path(&self, id: &ImageId) -> PathBuf {
        self.folder.join(id.as_str())
    }

    fn open(folder: PathBuf) -> Result<Arc<Self>, super::super::BoxError> {
        let store = store::open_folder(NAME, &folder, UNFINISHED)?;
        let id = identity(&folder)?;
        Ok(Arc::new(Self { store, id, folder, reserved: Reserved::default() }))
    }
}

/// What names the folder; made once, by whoever is first.
fn identity(folder: &Path) -> io::Result<String> {
    let mark = folder.join(MARK);
    let new = folder.join(format!("{MARK}-{:016x}", rand::random::<u64>()));
    loop {
        match fs::read_to_string(&mark) {
            Ok(text) if text.trim().parse::<uuid::Uuid>().is_ok() => return Ok(text.trim().to_owned()),
            Ok(_) => {
                let words = format!("{} does not hold what a catalogue wrote there: remove it", mark.display());
                return Err(io::Error::new(io::ErrorKind::InvalidData, words));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(&new)?;
        file.write_all(uuid::Uuid::new_v4().to_string().as_bytes())?;
        file.sync_all()?;
        // Another process may be faster: then its name stands.
        let linked = fs::hard_link(&new, &mark);
        fs::remove_file(&new)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
}

/// The images whose data stands there for a while, and for how long.
fn old_files(folder: &Path) -> io::Result<Vec<(ImageId, Duration)>> {
    let mut found = Vec::new();
    let staged = |entry: fs::DirEntry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path()));
    let files = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?.into_iter().filter_map(staged);
    for (id, path) in files.chain(images_with_scratch(folder)?) {
        let age = fs::metadata(path).and_then(|it| it.modified()).ok().and_then(|it| it.elapsed().ok());
        if let Some(age) = age.filter(|it| *it > YOUNG) {
            found.push((id, age));
        }
    }
    Ok(found)
}
