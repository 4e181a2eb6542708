//! Keeping the cache what it should be.

use super::{
    Cache,
    open::{INCOMPLETE, INVALID},
};
use crate::base::{
    chain,
    digest::{Algorithm, Digests},
};
use crate::catalogue::{
    service::{Fault, Service},
    tables::cached::{self, Cached, Known},
};
use crate::db::DbError;
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use fs2::FileExt;
use futures_util::StreamExt;
use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// What a prune removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Images.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What a clean removed, in files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// In `invalid`.
    pub invalid: u64,
    /// In `incomplete`, older than `image_cache_stall_time`.
    pub stalled: u64,
}

/// A file in the cache.
struct Found {
    id: ImageId,
    size: u64,
    modified: DateTime<Utc>,
}

impl Service {
    /// Removes the images that were not read for the longest time, until the cache is within `image_cache_max_size`.
    ///
    /// # Errors
    /// That of the database or the folder.
    pub async fn prune_cache(&self) -> Result<Pruned, Fault> {
        let Some(cache) = self.cache() else { return Ok(Pruned::default()) };
        prune(self, &cache).await
    }

    /// Removes what is invalid, and unfinished files that nobody has written to for `image_cache_stall_time`.
    ///
    /// # Errors
    /// That of the folder.
    pub async fn clean_cache(&self) -> Result<Cleaned, Fault> {
        let Some(cache) = self.cache() else { return Ok(Cleaned::default()) };
        let (invalid, incomplete) = (cache.dir.join(INVALID), cache.dir.join(INCOMPLETE));
        let stall = cache.settings.image_cache_stall_time;
        let cleaned = tokio::task::spawn_blocking(move || {
            Ok::<_, io::Error>(Cleaned {
                invalid: remove_older(invalid, Duration::ZERO)?,
                stalled: remove_older(incomplete, stall)?,
            })
        });
        cleaned.await.map_err(Fault::internal)?.map_err(Fault::internal)
    }

    /// Brings files and records together: strikes off what has no file, removes files whose image is gone (another node
    /// may have deleted it), and verifies files that nobody here has verified, before anything is served from them.
    ///
    /// # Errors
    /// That of the database or the folder.
    pub async fn review_cache(&self) -> Result<(), Fault> {
        let Some(cache) = self.cache() else { return Ok(()) };
        let node = cache.node;
        // Records first: a file that comes after this look is no file without a record.
        let rows = self.db().read::<_, DbError, _>(move |tx| cached::list(tx, node)).await?;
        let files = files(&cache).await?;
        let ids: Vec<ImageId> = files.iter().map(|it| it.id.clone()).collect();
        let known = self.db().read::<_, DbError, _>(move |tx| cached::known(tx, &ids)).await?;
        for row in rows.iter().filter(|row| !files.iter().any(|it| it.id == row.image)) {
            if cache.size(&row.image).await.is_none() {
                let id = row.image.clone();
                self.db().write::<_, DbError, _>(move |tx| cached::remove(tx, node, &id)).await?;
            }
        }
        let rows: HashMap<&ImageId, &Cached> = rows.iter().map(|it| (&it.image, it)).collect();
        for file in &files {
            let row = rows.get(&file.id).copied();
            match known.get(&file.id) {
                None => self.drop_file(&file.id, "its image is gone").await?,
                Some(known) if known.size.is_some_and(|it| it != file.size) => {
                    self.drop_file(&file.id, "it has not the image's size").await?;
                }
                Some(known) if row.is_none_or(|it| it.checksum.is_none()) => self.adopt(&cache, file, known).await?,
                Some(_) => {}
            }
        }
        Ok(())
    }

    async fn drop_file(&self, id: &ImageId, why: &str) -> Result<(), Fault> {
        self.uncache(id).await?;
        tracing::info!(image.id = %id, "removed from the image cache: {why}");
        Ok(())
    }

    /// A file of Glance's, or of a process that was killed before it could record it.
    async fn adopt(&self, cache: &Cache, file: &Found, known: &Known) -> Result<(), Fault> {
        let found = match md5(cache, file).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(image.id = %file.id, %error, "a cached file cannot be verified");
                return Ok(());
            }
        };
        if known.checksum.as_ref().is_some_and(|it| !it.eq_ignore_ascii_case(&found)) {
            return self.drop_file(&file.id, "it has not the image's checksum").await;
        }
        let (node, modified, size) = (cache.node, file.modified, file.size);
        let (id, checksum) = (file.id.clone(), found);
        self.db()
            .write::<_, DbError, _>(move |tx| match cached::find(tx, node, &id)? {
                Some(_) => cached::verified(tx, node, &id, &checksum),
                None => {
                    let (last_accessed, last_modified, hits, row) = (modified, modified, 0, 0);
                    let (image, checksum) = (id.clone(), Some(checksum.clone()));
                    let entry = Cached { row, image, last_accessed, last_modified, size, hits, checksum };
                    cached::put(tx, node, &entry)
                }
            })
            .await?;
        tracing::info!(image.id = %file.id, size, "a file that was found in the image cache is verified");
        Ok(())
    }
}

/// As [`Service::prune_cache`]. A file without a record goes first: nothing is known of its use.
pub(super) async fn prune(service: &Service, cache: &Arc<Cache>) -> Result<Pruned, Fault> {
    let _alone = cache.pruning.lock().await;
    let mut files = files(cache).await?;
    let mut used: u64 = files.iter().map(|it| it.size).sum();
    let max = cache.settings.image_cache_max_size;
    let mut pruned = Pruned::default();
    if used <= max {
        return Ok(pruned);
    }
    let node = cache.node;
    let rows = service.db().read::<_, DbError, _>(move |tx| cached::list(tx, node)).await?;
    // MariaDB keeps whole seconds: of two the later row counts as the later access.
    let accessed: HashMap<ImageId, _> = rows.into_iter().map(|it| (it.image, (it.last_accessed, it.row))).collect();
    files.sort_by_key(|it| accessed.get(&it.id).copied());
    for file in files {
        if used <= max {
            break;
        }
        if service.uncache(&file.id).await?.is_some() {
            pruned.files += 1;
            pruned.bytes += file.size;
            tracing::info!(image.id = %file.id, size = file.size, "pruned from the image cache");
        }
        used -= file.size;
    }
    Ok(pruned)
}

/// The images that have files.
pub(super) async fn images(cache: &Cache) -> Result<Vec<ImageId>, Fault> {
    Ok(files(cache).await?.into_iter().map(|it| it.id).collect())
}

/// The files of images.
async fn files(cache: &Cache) -> Result<Vec<Found>, Fault> {
    let dir = cache.dir.clone();
    let found = tokio::task::spawn_blocking(move || {
        let mut found = Vec::new();
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            let Some(id) = entry.file_name().to_str().and_then(|it| it.parse().ok()) else { continue };
            match entry.metadata() {
                Ok(meta) if meta.is_file() => {
                    let modified = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH).into();
                    found.push(Found { id, size: meta.len(), modified });
                }
                // No file, or it went away meanwhile.
                Ok(_) | Err(_) => {}
            }
        }
        Ok::<_, io::Error>(found)
    });
    found.await.map_err(Fault::internal)?.map_err(Fault::internal)
}

async fn md5(cache: &Cache, file: &Found) -> Result<String, String> {
    let said = |error: &(dyn std::error::Error + 'static)| chain(error).to_string();
    let url = cache.files.url(&file.id);
    let mut blocks = cache.files.read(&url, 0..file.size).await.map_err(|it| said(&it))?;
    let mut digests = Digests::new(&[Algorithm::Md5]);
    while let Some(block) = blocks.next().await {
        digests.update(block.map_err(|it| said(&it))?).await;
    }
    let sums = digests.finish().await.map_err(|it| said(&it))?;
    Ok(sums.into_iter().map(|it| it.1).next().unwrap_or_default())
}

/// Removes the files of a folder that were not written to for so long, and that no living writer has locked.
fn remove_older(folder: PathBuf, age: Duration) -> io::Result<u64> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(meta) = entry.metadata() else { continue };
        let old = meta.modified().ok().and_then(|it| it.elapsed().ok()).is_some_and(|it| it >= age);
        if !meta.is_file() || !(old || age.is_zero()) {
            continue;
        }
        let Ok(file) = File::open(entry.path()) else { continue };
        if FileExt::try_lock_exclusive(&file).is_err() {
            continue;
        }
        match fs::remove_file(entry.path()) {
            Ok(()) => {
                removed += 1;
                tracing::info!(path = %entry.path().display(), "removed from the image cache");
            }
            Err(error) => {
                tracing::warn!(path = %entry.path().display(), %error, "it cannot be removed from the image cache");
            }
        }
    }
    Ok(removed)
}
