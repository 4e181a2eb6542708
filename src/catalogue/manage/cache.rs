//! One pass over the image cache. It may run beside a catalogue that serves.

use crate::catalogue::{
    Settings,
    manage::ManageError,
    service::{Cleaned, Prefetched, Pruned, Service},
};

/// Fetches what is queued.
///
/// # Errors
/// [`ManageError`]. An image that cannot be fetched is none.
pub async fn prefetch(settings: Settings) -> Result<Prefetched, ManageError> {
    Ok(open(settings).await?.prefetch().await?)
}

/// Brings the cache within `image_cache_max_size`.
///
/// # Errors
/// [`ManageError`].
pub async fn prune_cache(settings: Settings) -> Result<Pruned, ManageError> {
    Ok(open(settings).await?.prune_cache().await?)
}

/// Removes what is invalid or stalled.
///
/// # Errors
/// [`ManageError`].
pub async fn clean_cache(settings: Settings) -> Result<Cleaned, ManageError> {
    Ok(open(settings).await?.clean_cache().await?)
}

async fn open(settings: Settings) -> Result<Service, ManageError> {
    if settings.cache.image_cache_dir.is_none() {
        return Err(ManageError::NoCache);
    }
    Ok(Service::open(settings).await?)
}
