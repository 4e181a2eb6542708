//! Downloads and the cache.

use super::Cache;
use crate::base::chain;
use crate::catalogue::{
    service::{BoxError, Fault, Service, download::Download},
    tables::cached,
};
use crate::db::DbError;
use crate::image::{Image, ImageId, Status};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream::BoxStream};
use std::{ops::Range, sync::Arc};
use tokio::sync::mpsc::error::TrySendError;

/// What the cache has to do with a download.
pub(in crate::catalogue::service) enum Serving {
    /// Nothing.
    Store,
    /// The data comes from it.
    Hit(Service),
    /// It gets the data.
    Miss(Service),
}

/// The data of a download, or of a part of it.
pub(in crate::catalogue::service) type Pieces = BoxStream<'static, Result<Bytes, BoxError>>;

impl Service {
    /// The download of an image from this node's cache, where downloads go through it and the image is in it.
    pub(in crate::catalogue::service) async fn cached(&self, image: &Image) -> Option<Download> {
        let cache = self.cache().filter(|it| it.settings.caching && image.status == Status::Active)?;
        let size = cache.size(&image.id).await?;
        if image.size.is_some_and(|it| it != size) || !self.is_verified(&cache, image).await {
            return None;
        }
        let url = cache.files.url(&image.id);
        Some(Download {
            image: image.clone(),
            size,
            url,
            store: Arc::clone(&cache.files),
            more: None,
            serving: Serving::Hit(self.clone()),
            receiver: None,
        })
    }

    /// A database that fails does not fail the download, which does without the cache then.
    async fn is_verified(&self, cache: &Cache, image: &Image) -> bool {
        let (node, id) = (cache.node, image.id.clone());
        let found = self.db().read::<_, DbError, _>(move |tx| cached::find(tx, node, &id)).await;
        let found = found.unwrap_or_else(|error| {
            tracing::warn!(error = %chain(&error), "the record of cached images cannot be read");
            None
        });
        let wanted = image.checksum.as_deref();
        found.and_then(|it| it.checksum).is_some_and(|it| wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(&it)))
    }

    /// Whether downloads of the image are to fill the cache.
    pub(in crate::catalogue::service) fn serving(&self, image: &Image) -> Serving {
        let caching = self.cache().is_some_and(|it| it.settings.caching) && image.status == Status::Active;
        if caching { Serving::Miss(self.clone()) } else { Serving::Store }
    }

    /// Counts a read; beside it.
    fn count_hit(&self, id: &ImageId) {
        metrics::counter!("larder_catalogue_cache_hits_total").increment(1);
        let Some(cache) = self.cache() else { return };
        let (service, id, now) = (self.clone(), id.clone(), self.now());
        self.in_background(async move {
            let node = cache.node;
            let counted = service.db().write::<_, DbError, _>(move |tx| cached::hit(tx, node, &id, now)).await;
            if let Err(error) = counted {
                tracing::warn!(error = %chain(&error), "a read of the image cache is not counted");
            }
        });
    }

    /// Takes an image out of this node's cache and off its queue.
    ///
    /// # Errors
    /// That of the database or the folder.
    pub(crate) async fn uncache(&self, id: &ImageId) -> Result<Option<u64>, Fault> {
        let Some(cache) = self.cache() else { return Ok(None) };
        let (node, row) = (cache.node, id.clone());
        self.db().write::<_, DbError, _>(move |tx| cached::remove(tx, node, &row)).await?;
        cache.remove_file(id).await
    }
}

/// The bytes of `range` of a cached image. What the cache's file does not give comes from the store.
pub(in crate::catalogue::service) async fn hit(
    service: Service,
    download: &Download,
    range: Range<u64>,
) -> Result<Pieces, Fault> {
    service.count_hit(&download.image.id);
    let mut blocks = match download.store.read(&download.url, range.clone()).await {
        Ok(blocks) => Some(blocks),
        Err(error) => {
            tracing::warn!(image.id = %download.image.id, error = %chain(&error), "a cached image cannot be read");
            None
        }
    };
    let image = download.image.clone();
    let pieces = async_stream::try_stream! {
        let mut at = range.start;
        while let Some(blocks_left) = &mut blocks {
            match blocks_left.next().await {
                Some(Ok(block)) => {
                    at += block.len() as u64;
                    yield block;
                }
                None => break,
                Some(Err(error)) => {
                    tracing::error!(image.id = %image.id, error = %chain(&error), "a cached image is damaged; it is taken out");
                    blocks = None;
                    if let Err(error) = service.uncache(&image.id).await {
                        tracing::error!(image.id = %image.id, error = %chain(&error), "it could not be taken out");
                    }
                }
            }
        }
        if at < range.end {
            let rest = service.locate(image).await?.ok_or_else(|| Fault::Unavailable("its data is gone".to_owned()))?;
            let mut rest = rest.stored(at..range.end).await?;
            while let Some(block) = rest.next().await {
                yield block?;
            }
        }
    };
    Ok(typed(pieces))
}

/// Helps inference: the error of the stream above.
fn typed(pieces: impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static) -> Pieces {
    pieces.boxed()
}

/// All bytes of an image on their way to a client, and into the cache. The cache gets no say: where it is not ready, the
/// filling is given up, and the image is fetched once more later.
pub(in crate::catalogue::service) fn miss(service: Service, image: &Image, size: u64, pieces: Pieces) -> Pieces {
    metrics::counter!("larder_catalogue_cache_misses_total").increment(1);
    let Some(sender) = service.fill_beside(image, size) else { return pieces };
    let (id, mut sender) = (image.id.clone(), Some(sender));
    let watched = pieces.inspect(move |piece| {
        let sent = match (piece, &sender) {
            (Ok(bytes), Some(sender)) => sender.try_send(bytes.clone()),
            _ => return,
        };
        if let Err(error) = sent {
            sender = None;
            if matches!(error, TrySendError::Full(_)) {
                tracing::info!(image.id = %id, "a download is faster than the cache's disk; the image is fetched later");
                if let Some(cache) = service.cache() {
                    cache.want(&id);
                }
            }
        }
    });
    watched.boxed()
}
