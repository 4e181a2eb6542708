//! Glance's cache API on one node: a stock Glance, or an agent that answers it.
//!
//! The older paths (`/v2/cached_images`, `/v2/queued_images`) are tried first, as glance-cache-manage does, then `/v2/cache`.

use crate::image::ImageId;
use crate::remote::{Catalogue, RemoteError};
use http::Method;
use serde::Deserialize;

/// What a node has and waits for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CacheListing {
    /// Images that are there.
    pub cached: Vec<CachedEntry>,
    /// Ids of images that wait.
    pub queued: Vec<String>,
}

/// A cached image in the words of Glance.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct CachedEntry {
    /// The image.
    pub image_id: String,
    /// Seconds since the epoch; 0 for never.
    #[serde(default)]
    pub last_accessed: f64,
    /// Seconds since the epoch.
    #[serde(default)]
    pub last_modified: f64,
    /// Bytes.
    #[serde(default)]
    pub size: u64,
    /// How often it was served.
    #[serde(default)]
    pub hits: u64,
    /// md5.
    #[serde(default)]
    pub checksum: Option<String>,
}

/// Which list a clearing empties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clear {
    /// Images that are there.
    Cached,
    /// Images that wait.
    Queued,
}

/// Which paths the node answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// `/v2/cached_images`, `/v2/queued_images`.
    Middleware,
    /// `/v2/cache`.
    Api,
}

#[derive(Deserialize)]
struct Cached {
    cached_images: Vec<CachedEntry>,
}

#[derive(Deserialize)]
struct Queued {
    queued_images: Vec<String>,
}

#[derive(Deserialize)]
struct Both {
    #[serde(default)]
    cached_images: Vec<CachedEntry>,
    #[serde(default)]
    queued_images: Vec<String>,
}

#[derive(Deserialize)]
struct Deleted {
    num_deleted: u64,
}

impl Catalogue {
    /// What the node has and waits for; [`RemoteError::NotFound`] when it has no cache API.
    pub async fn cache_listing(&self) -> Result<CacheListing, RemoteError> {
        Ok(self.cache_dialect().await?.1)
    }

    /// Asks the node to cache an image.
    pub async fn cache_queue(&self, id: &ImageId) -> Result<(), RemoteError> {
        let doing = format!("queueing image {id}");
        let path = match self.cache_dialect().await?.0 {
            Dialect::Middleware => format!("/v2/queued_images/{id}"),
            Dialect::Api => format!("/v2/cache/{id}"),
        };
        self.cache_call(&doing, Method::PUT, &path, None).await.map(drop)
    }

    /// Removes one image from one of the lists. (`/v2/cache` knows no difference between them: it removes both.)
    pub async fn cache_delete(&self, id: &ImageId, what: Clear) -> Result<(), RemoteError> {
        let doing = format!("removing {} image {id}", what.word());
        let path = match self.cache_dialect().await?.0 {
            Dialect::Middleware => format!("/v2/{}_images/{id}", what.word()),
            Dialect::Api => format!("/v2/cache/{id}"),
        };
        self.cache_call(&doing, Method::DELETE, &path, None).await.map(drop)
    }

    /// Empties a list; how many images were on it.
    pub async fn cache_clear(&self, what: Clear) -> Result<u64, RemoteError> {
        let doing = format!("removing all {} images", what.word());
        let (dialect, listing) = self.cache_dialect().await?;
        match dialect {
            Dialect::Middleware => {
                let path = format!("/v2/{}_images", what.word());
                let (call, response) = self.cache_call(&doing, Method::DELETE, &path, None).await?;
                let deleted: Deleted = call.json(response).await?;
                Ok(deleted.num_deleted)
            }
            Dialect::Api => {
                let (target, number) = match what {
                    Clear::Cached => ("cache", listing.cached.len()),
                    Clear::Queued => ("queue", listing.queued.len()),
                };
                self.cache_call(&doing, Method::DELETE, "/v2/cache", Some(target)).await?;
                Ok(number as u64)
            }
        }
    }

    async fn cache_dialect(&self) -> Result<(Dialect, CacheListing), RemoteError> {
        let doing = "listing cached images";
        match self.get::<Cached>(doing, "/v2/cached_images").await {
            Ok(it) => {
                let queued: Queued = self.get("listing queued images", "/v2/queued_images").await?;
                Ok((Dialect::Middleware, CacheListing { cached: it.cached_images, queued: queued.queued_images }))
            }
            Err(e) if e.is_not_found() => {
                let both: Both = self.get(doing, "/v2/cache").await?;
                Ok((Dialect::Api, CacheListing { cached: both.cached_images, queued: both.queued_images }))
            }
            Err(e) => Err(e),
        }
    }

    async fn cache_call(
        &self,
        doing: &str,
        method: Method,
        path: &str,
        target: Option<&'static str>,
    ) -> Result<(super::transport::Call, reqwest::Response), RemoteError> {
        let make = |client: &reqwest::Client, url| {
            let request = client.request(method.clone(), url);
            match target {
                Some(target) => request.header("x-image-cache-clear-target", target),
                None => request,
            }
        };
        let (call, response) = self.session.call(doing, path, make).await?;
        let response = call.check(response).await?;
        Ok((call, response))
    }
}

impl Clear {
    fn word(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::Queued => "queued",
        }
    }
}
