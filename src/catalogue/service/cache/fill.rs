//! Getting an image into the cache: aside, verified, renamed, recorded.

use super::{Cache, tidy};
use crate::base::{ByteSize, chain, digest::Algorithm};
use crate::catalogue::{
    service::{
        BoxError, Fault, Service,
        difference::{Difference, difference},
    },
    tables::cached::{self, Cached},
};
use crate::db::DbError;
use crate::image::{Image, ImageId};
use crate::store::{self, IngestError, Staged, StoreError};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Blocks of a download (1 MiB each) that may wait for the cache's disk; one more, and the filling is given up.
const WAITING: usize = 16;

/// An image that is not cached, and why.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotCached {
    #[error("it is being cached already")]
    Busy,
    #[error("it has {}, and image_cache_max_size is {}", ByteSize(*size), ByteSize(*max))]
    TooLarge { size: u64, max: u64 },
    #[error("its {what} is {found}, not {wanted}")]
    Differs { what: &'static str, found: String, wanted: String },
    #[error("it has no data any more")]
    Gone,
    #[error("its data did not get into the cache")]
    Ingest(#[from] IngestError),
    #[error("the cache's folder failed")]
    Store(#[from] StoreError),
    #[error("it could not be recorded")]
    Db(#[from] DbError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The place of an image among those that this process writes.
pub(super) struct Place {
    cache: Arc<Cache>,
    id: ImageId,
}

// === impl Place ===

impl Place {
    /// None when the image has one already.
    pub(super) fn take(cache: &Arc<Cache>, id: &ImageId) -> Option<Self> {
        let taken = cache.filling().insert(id.clone());
        taken.then(|| Self { cache: Arc::clone(cache), id: id.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.cache.filled(&self.id);
    }
}

impl Service {
    /// Begins to fill the cache beside a download of the whole image; none when that is not to be done. Whatever goes
    /// wrong from here on is logged, and the download does not notice.
    pub(super) fn fill_beside(&self, image: &Image, size: u64) -> Option<mpsc::Sender<Bytes>> {
        let cache = self.cache()?;
        let permit = Arc::clone(&cache.fills).try_acquire_owned().ok()?;
        let place = Place::take(&cache, &image.id)?;
        let (sender, mut pieces) = mpsc::channel(WAITING);
        let (service, image) = (self.clone(), image.clone());
        self.in_background(async move {
            let _held = (permit, place);
            let body = futures_util::stream::poll_fn(move |cx| pieces.poll_recv(cx)).map(Ok::<_, BoxError>);
            match service.fill(&cache, &image, size, body).await {
                Ok(()) => tracing::info!(image.id = %image.id, size, "cached beside a download"),
                // The client went away, or the cache's disk is slower than the client.
                Err(NotCached::Ingest(IngestError::Size { got, .. })) => {
                    tracing::info!(image.id = %image.id, got, size, "a download ended early; it is not cached");
                }
                Err(error) => {
                    tracing::warn!(image.id = %image.id, error = %chain(&error), "a download could not be cached");
                }
            }
        });
        Some(sender)
    }

    /// Writes `body`, which must be all of the image's `size` bytes. The caller has the image's [`Place`].
    pub(super) async fn fill<S>(&self, cache: &Arc<Cache>, image: &Image, size: u64, body: S) -> Result<(), NotCached>
    where
        S: Stream<Item = Result<Bytes, BoxError>> + Send,
    {
        let max = cache.settings.image_cache_max_size;
        if size > max {
            return Err(NotCached::TooLarge { size, max });
        }
        let hash = image.os_hash_algo.as_deref().and_then(|it| it.parse().ok()).unwrap_or(Algorithm::Sha512);
        let limits = store::Limits { size_cap: size, expected: Some(size), hash, also: None };
        let staged = store::ingest(body, &*cache.files, &image.id, limits).await?;
        verify(image, &staged)?;
        let checksum = staged.facts().checksum.clone();
        match staged.commit().await {
            Ok(_) => {}
            // Another program was faster, and recorded it.
            Err(StoreError::Duplicate { .. }) => return Ok(()),
            Err(other) => return Err(other.into()),
        }
        if !self.record(cache, image, size, checksum).await? {
            cache.remove_file(&image.id).await?;
            return Err(NotCached::Gone);
        }
        let (queue, id) = (cache.queue.clone(), image.id.clone());
        // If it stays, the next look at the queue finds the image cached.
        let _ = tokio::task::spawn_blocking(move || queue.remove(&id)).await;
        if let Err(error) = tidy::prune(self, cache).await {
            tracing::warn!(error = %chain(&error), "the image cache could not be pruned");
        }
        Ok(())
    }

    /// False when the image was deleted meanwhile.
    async fn record(&self, cache: &Cache, image: &Image, size: u64, checksum: String) -> Result<bool, DbError> {
        let (node, now, id) = (cache.node, self.now(), image.id.clone());
        let (last_accessed, last_modified, hits, row) = (now, now, 0, 0);
        let entry = Cached { row, image: id, last_accessed, last_modified, size, hits, checksum: Some(checksum) };
        let recorded = self.db().write::<_, DbError, _>(move |tx| {
            if cached::known(tx, std::slice::from_ref(&entry.image))?.is_empty() {
                return Ok(false);
            }
            cached::put(tx, node, &entry).map(|()| true)
        });
        recorded.await
    }
}

/// The data against the image's record.
fn verify(image: &Image, staged: &Staged) -> Result<(), NotCached> {
    match difference(image, staged.facts()) {
        Some(Difference { what, found, wanted }) => Err(NotCached::Differs { what, found, wanted }),
        None => Ok(()),
    }
}
