//! The cache API of a node: the old paths and the new ones.

use super::{as_user, at, noise, open, put, quick, told, whole};
use crate::support::{
    chaos::{Chaos, Fault},
    rig,
};
use larder::{
    image::ImageId,
    remote::{CacheListing, Catalogue, Clear},
};
use std::time::{Duration, Instant};

async fn is_cached(catalogue: &Catalogue, id: &ImageId) -> bool {
    catalogue.cache_listing().await.unwrap().cached.iter().any(|it| it.image_id == id.as_str() && it.size == 70_000)
}

/// Glance's old paths only note what is wanted, for glance-cache-prefetcher; a download fills the cache too.
#[tokio::test]
async fn the_old_paths_fill_and_empty_a_cache() {
    let Some(glance) = rig::open_glance() else { return };
    let catalogue = open(glance);
    let id = put(&catalogue, "to cache", &noise(70_000)).await;
    for clear in [false, true] {
        catalogue.cache_queue(&id).await.unwrap();
        assert_eq!(catalogue.cache_listing().await.unwrap().queued, [id.to_string()]);
        if clear {
            assert_eq!(catalogue.cache_clear(Clear::Queued).await.unwrap(), 1);
        } else {
            catalogue.cache_delete(&id, Clear::Queued).await.unwrap();
        }
        assert!(catalogue.cache_listing().await.unwrap().queued.is_empty());
        whole(&catalogue, &id).await;
        assert!(is_cached(&catalogue, &id).await);
        if clear {
            // Other tests download too.
            assert!(catalogue.cache_clear(Clear::Cached).await.unwrap() >= 1);
        } else {
            catalogue.cache_delete(&id, Clear::Cached).await.unwrap();
        }
        assert!(!is_cached(&catalogue, &id).await);
    }
    catalogue.delete(&id).await.unwrap();
}

/// The new paths fetch at once, in the background; that gives up when Glance's SQLite file is busy.
#[tokio::test]
async fn the_new_paths_fill_and_empty_a_cache() {
    let (Some(keystone), Some(_)) = (rig::keystone(), rig::glance()) else { return };
    let catalogue = as_user(keystone, "admin", "admin");
    let id = put(&catalogue, "to cache", &noise(70_000)).await;
    for clear in [false, true] {
        let (begun, mut queued_at) = (Instant::now(), None::<Instant>);
        while !is_cached(&catalogue, &id).await {
            if queued_at.is_none_or(|it| it.elapsed() > Duration::from_secs(4)) {
                catalogue.cache_delete(&id, Clear::Queued).await.ok();
                catalogue.cache_queue(&id).await.unwrap();
                queued_at = Some(Instant::now());
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", catalogue.cache_listing().await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if clear {
            assert_eq!(catalogue.cache_clear(Clear::Cached).await.unwrap(), 1);
            assert_eq!(catalogue.cache_clear(Clear::Queued).await.unwrap(), 0);
        } else {
            catalogue.cache_delete(&id, Clear::Cached).await.unwrap();
        }
        assert_eq!(catalogue.cache_listing().await.unwrap(), CacheListing::default());
    }
    catalogue.delete(&id).await.unwrap();
    // Who is no admin may not look.
    assert!(as_user(keystone, "demo", "demo").cache_listing().await.unwrap_err().is_denied());
}

#[tokio::test]
async fn a_server_without_a_cache_says_so() {
    let Some(glance) = rig::open_glance() else { return };
    let proxy = Chaos::before(&glance.url);
    proxy.always(Fault::Answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into()));
    let error = at(&proxy.url(), quick()).cache_listing().await.unwrap_err();
    assert!(error.is_not_found(), "{}", told(&error));
}
