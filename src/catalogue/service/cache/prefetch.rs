//! Fetching what is queued.

use super::{
    Cache,
    fill::{NotCached, Place},
};
use crate::base::chain;
use crate::catalogue::{
    service::{Fault, Service},
    tables::images,
};
use crate::db::DbError;
use crate::image::{ImageId, Status};
use futures_util::StreamExt;
use std::sync::Arc;

/// Images that are fetched at the same time.
const AT_ONCE: usize = 2;

/// What one pass over the queue did.
#[derive(Clone, Debug, Default)]
pub struct Prefetched {
    /// Images that are cached now.
    pub cached: Vec<ImageId>,
    /// Images that are not, and why; they stay queued, unless they can never be cached.
    pub failed: Vec<(ImageId, String)>,
}

/// How an image came to be fetched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// By its marker in the queue.
    Queue,
    /// A download could not keep up with it.
    Download,
}

impl Service {
    /// Fetches all that is queued, once.
    ///
    /// # Errors
    /// When the queue cannot be read.
    pub async fn prefetch(&self) -> Result<Prefetched, Fault> {
        let Some(cache) = self.cache() else { return Ok(Prefetched::default()) };
        let queue = cache.queue.clone();
        let queued = tokio::task::spawn_blocking(move || queue.list()).await.map_err(Fault::internal)?;
        let queued = queued.map_err(Fault::internal)?.into_iter().map(|it| (it, By::Queue));
        let wanted: Vec<_> = cache.wanted().drain(..).map(|it| (it, By::Download)).collect();
        let work = queued.chain(wanted).map(|(id, by)| {
            let (service, cache) = (self.clone(), Arc::clone(&cache));
            async move { (service.fetch_one(&cache, &id, by).await, id) }
        });
        let mut done = Prefetched::default();
        let mut outcomes = std::pin::pin!(futures_util::stream::iter(work).buffer_unordered(AT_ONCE));
        while let Some((outcome, id)) = outcomes.next().await {
            match outcome {
                Ok(true) => {
                    tracing::info!(image.id = %id, "image is cached");
                    done.cached.push(id);
                }
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(image.id = %id, error = %chain(&error), "a queued image is not cached");
                    done.failed.push((id, chain(&error).to_string()));
                }
            }
        }
        Ok(done)
    }

    /// Waits until something is to be fetched.
    pub(crate) async fn anything_to_fetch(&self) {
        match self.cache() {
            Some(cache) => cache.wake.notified().await,
            None => std::future::pending().await,
        }
    }

    /// False when somebody else is at it.
    async fn fetch_one(&self, cache: &Arc<Cache>, id: &ImageId, by: By) -> Result<bool, NotCached> {
        let (queue, marker) = (cache.queue.clone(), id.clone());
        let taken = match by {
            By::Queue => tokio::task::spawn_blocking(move || queue.take(&marker)).await.ok().flatten(),
            By::Download => None,
        };
        if by == By::Queue && taken.is_none() {
            return Ok(false);
        }
        let fetched = self.fetch(cache, id).await;
        if matches!(fetched, Ok(()) | Err(NotCached::TooLarge { .. })) {
            let (queue, marker) = (cache.queue.clone(), id.clone());
            // If it stays, the next pass finds the image cached.
            let _ = tokio::task::spawn_blocking(move || queue.remove(&marker)).await;
        }
        match fetched {
            Err(NotCached::Busy) => {
                if by == By::Download {
                    cache.want(id);
                }
                Ok(false)
            }
            other => other.map(|()| true),
        }
    }

    async fn fetch(&self, cache: &Arc<Cache>, id: &ImageId) -> Result<(), NotCached> {
        let (row, cipher) = (id.clone(), self.cipher().clone());
        let found = self.db().read::<_, DbError, _>(move |tx| images::find(tx, &cipher, &row)).await?;
        let mut image = found.ok_or_else(|| Fault::NotFound("there is no such image".to_owned()))?;
        if image.status != Status::Active {
            return Err(Fault::Conflict(format!("its status is {}", image.status)).into());
        }
        if cache.size(id).await.is_some() {
            return Ok(());
        }
        self.stores().arrange(&mut image.locations);
        let _place = Place::take(cache, id).ok_or(NotCached::Busy)?;
        let download = self.locate(image).await?.ok_or(NotCached::Gone)?;
        let blocks = download.stored(0..download.size).await?;
        self.fill(cache, &download.image, download.size, blocks).await
    }
}
