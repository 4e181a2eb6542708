//! What the cache API does.

use super::{Cache, Cleaned, Driver, Pruned};
use crate::catalogue::{
    service::{Fault, Service},
    tables::cached::{self, Cached},
};
use crate::db::DbError;
use crate::identity::Caller;
use crate::image::{Image, ImageId, Status};
use std::{collections::BTreeSet, io, sync::Arc};

/// The rule of the older paths.
const MANAGE: &str = "manage_image_cache";

/// What is cached and what is to be.
#[derive(Clone, Debug, Default)]
pub struct CacheState {
    /// In the order of the ids.
    pub cached: Vec<Cached>,
    /// The longest waiting one first.
    pub queued: Vec<ImageId>,
}

/// What to clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// What is cached.
    pub cached: bool,
    /// What is queued.
    pub queued: bool,
}

impl Service {
    /// What this node has.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`: there is no cache.
    pub async fn cache_state(&self, caller: &Caller) -> Result<CacheState, Fault> {
        self.state_by(caller, "cache_list").await
    }

    /// Likewise, by the rule of the older paths.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`: there is no cache.
    pub async fn managed_state(&self, caller: &Caller) -> Result<CacheState, Fault> {
        self.state_by(caller, MANAGE).await
    }

    async fn state_by(&self, caller: &Caller, rule: &str) -> Result<CacheState, Fault> {
        let cache = self.cache_for(caller, rule, None)?;
        let node = cache.node;
        let cached = self.db().read::<_, DbError, _>(move |tx| cached::list(tx, node)).await?;
        let queue = cache.queue.clone();
        Ok(CacheState { cached, queued: on_disk(move || queue.list()).await? })
    }

    /// Has an image fetched into the cache.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid` (not active), `TooLarge` (for the cache).
    pub async fn cache_image(&self, caller: &Caller, id: &ImageId) -> Result<(), Fault> {
        let image = self.find(caller, id).await.map_err(|fault| unknown(fault, id))?;
        let cache = self.cache_for(caller, "cache_image", Some(&image))?;
        if image.status != Status::Active {
            let text = "Only images with status active can be targeted for queueing";
            return Err(Fault::Invalid(text.to_owned()));
        }
        let max = cache.settings.image_cache_max_size;
        if let Some(size) = image.size.filter(|&it| it > max) {
            return Err(Fault::TooLarge(format!("Image {id} has {size} bytes; the cache holds {max}.")));
        }
        enqueue(&cache, id).await
    }

    /// Likewise, by the rule of the older paths, which queue what is no image yet, too.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`: there is no cache.
    pub async fn manage_queue(&self, caller: &Caller, id: &ImageId) -> Result<(), Fault> {
        enqueue(&self.cache_for(caller, MANAGE, None)?, id).await
    }

    /// Takes an image out of the cache and off the queue; one that is in neither is none the worse.
    ///
    /// # Errors
    /// `NotFound`: neither an image nor in the cache; `Forbidden`.
    pub async fn cache_delete(&self, caller: &Caller, id: &ImageId) -> Result<(), Fault> {
        let cache = match self.find(caller, id).await {
            Ok(image) => self.cache_for(caller, "cache_delete", Some(&image))?,
            // Whoever may not know of the image does not hear that it is cached, either.
            Err(fault @ (Fault::NotFound(_) | Fault::NoImage(_))) => match self.cache_for(caller, "cache_delete", None)
            {
                Ok(cache) if self.has(id).await? => cache,
                _ => return Err(unknown(fault, id)),
            },
            Err(other) => return Err(other),
        };
        self.uncache(id).await?;
        dequeue(&cache, id).await.map(drop)
    }

    /// Takes an image out of the cache, by the rule of the older paths.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`: there is no cache.
    pub async fn manage_delete_cached(&self, caller: &Caller, id: &ImageId) -> Result<(), Fault> {
        self.cache_for(caller, MANAGE, None)?;
        self.uncache(id).await.map(drop)
    }

    /// Takes an image off the queue, by the rule of the older paths.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`: there is no cache.
    pub async fn manage_delete_queued(&self, caller: &Caller, id: &ImageId) -> Result<(), Fault> {
        dequeue(&*self.cache_for(caller, MANAGE, None)?, id).await.map(drop)
    }

    /// Empties cache and queue, or one of them.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`: there is no cache.
    pub async fn cache_clear(&self, caller: &Caller, target: Target) -> Result<(), Fault> {
        let cache = self.cache_for(caller, "cache_delete", None)?;
        self.clear(&cache, target).await.map(drop)
    }

    /// Likewise, by the rule of the older paths; how many there were.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`: there is no cache.
    pub async fn manage_clear(&self, caller: &Caller, target: Target) -> Result<u64, Fault> {
        let cache = self.cache_for(caller, MANAGE, None)?;
        self.clear(&cache, target).await
    }

    async fn clear(&self, cache: &Arc<Cache>, target: Target) -> Result<u64, Fault> {
        let mut count = 0;
        if target.cached {
            let node = cache.node;
            let rows = self.db().read::<_, DbError, _>(move |tx| cached::list(tx, node)).await?;
            let mut ids: BTreeSet<ImageId> = rows.into_iter().map(|it| it.image).collect();
            ids.extend(super::tidy::images(cache).await?);
            for id in ids {
                count += u64::from(self.uncache(&id).await?.is_some());
            }
        }
        if target.queued {
            let queue = cache.queue.clone();
            for id in on_disk(move || queue.list()).await? {
                count += u64::from(dequeue(cache, &id).await?);
            }
        }
        Ok(count)
    }

    /// The nodes that have an image in their caches, by their URLs.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, `Conflict`: this site's nodes do not tell each other.
    pub async fn cache_nodes(&self, caller: &Caller, id: &ImageId) -> Result<Vec<String>, Fault> {
        let cache = self.cache_for(caller, "list_cached_nodes", None)?;
        if cache.settings.image_cache_driver != Driver::CentralizedDb {
            return Err(Fault::Conflict("Centralized caching is not enabled".to_owned()));
        }
        self.find(caller, id).await.map_err(|fault| unknown(fault, id))?;
        let id = id.clone();
        Ok(self.db().read::<_, DbError, _>(move |tx| cached::nodes_of(tx, &id)).await?)
    }

    /// Removes what is invalid or stalled.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`: there is no cache.
    pub async fn cache_clean(&self, caller: &Caller) -> Result<Cleaned, Fault> {
        self.cache_for(caller, "cache_clean", None)?;
        self.clean_cache().await
    }

    /// Brings the cache within its size.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`: there is no cache.
    pub async fn cache_prune(&self, caller: &Caller) -> Result<Pruned, Fault> {
        self.cache_for(caller, "cache_prune", None)?;
        self.prune_cache().await
    }

    /// The cache, for a caller who may do `rule`; whoever may not is told so before hearing that there is none.
    fn cache_for(&self, caller: &Caller, rule: &str, image: Option<&Image>) -> Result<Arc<Cache>, Fault> {
        self.access(caller).may_cache(rule, image)?;
        let none = || Fault::NotFound("Caching via API is not supported at this site.".to_owned());
        self.cache().ok_or_else(none)
    }

    /// Whether the cache or the queue has something of this id.
    async fn has(&self, id: &ImageId) -> Result<bool, Fault> {
        let Some(cache) = self.cache() else { return Ok(false) };
        let (node, row, queue, marker) = (cache.node, id.clone(), cache.queue.clone(), id.clone());
        let recorded = self.db().read::<_, DbError, _>(move |tx| cached::find(tx, node, &row)).await?.is_some();
        Ok(recorded || cache.size(id).await.is_some() || on_disk(move || queue.list()).await?.contains(&marker))
    }
}

async fn enqueue(cache: &Arc<Cache>, id: &ImageId) -> Result<(), Fault> {
    if cache.size(id).await.is_some() || cache.filling().contains(id) {
        return Ok(());
    }
    let (queue, marker) = (cache.queue.clone(), id.clone());
    on_disk(move || queue.add(&marker)).await?;
    cache.wake.notify_one();
    Ok(())
}

/// False when it was not queued.
async fn dequeue(cache: &Cache, id: &ImageId) -> Result<bool, Fault> {
    let (queue, marker) = (cache.queue.clone(), id.clone());
    on_disk(move || queue.remove(&marker)).await
}

async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(Fault::internal)?.map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Fault::TooLarge("There is no room left in the image cache.".to_owned())
        }
        _ => Fault::internal(error),
    })
}

fn unknown(fault: Fault, id: &ImageId) -> Fault {
    if matches!(fault, Fault::NotFound(_) | Fault::NoImage(_)) {
        Fault::NotFound(format!("Image {id} not found."))
    } else {
        fault
    }
}
