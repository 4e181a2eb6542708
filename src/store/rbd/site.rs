//! What the parts of the store share.

use super::{ceph::CephError, link::Link, place::Place};
use crate::store::StoreError;
use nix::errno::Errno;

/// A store: the way to its cluster.
pub(super) struct Site {
    pub(super) link: Link,
}

/// What a URL names in this cluster.
#[derive(Clone, Debug)]
pub(super) struct At {
    pub(super) pool: String,
    pub(super) image: String,
    pub(super) snap: Option<String>,
}

// === impl Site ===

impl Site {
    pub(super) fn pool(&self) -> &str {
        &self.link.settings.rbd_store_pool
    }

    /// What a URL names. As Glance does, a URL of another cluster is looked for in this one: clusters are mirrored and
    /// restored, and then have another id.
    pub(super) fn at(&self, url: &str) -> Result<At, StoreError> {
        let Place { home, image, snap } = Place::parse(url).map_err(|why| self.foreign(url, why))?;
        Ok(At { pool: home.map_or_else(|| self.pool().to_owned(), |it| it.pool), image, snap })
    }

    /// Likewise; data of another cluster is not removed.
    pub(super) fn at_ours(&self, url: &str) -> Result<At, StoreError> {
        let place = Place::parse(url).map_err(|why| self.foreign(url, why))?;
        if place.home.is_some_and(|it| it.fsid != self.link.fsid()) {
            return Err(self.foreign(url, "it names another cluster (fsid)"));
        }
        self.at(url)
    }

    fn foreign(&self, url: &str, why: &'static str) -> StoreError {
        StoreError::Foreign { url: url.chars().take(300).collect(), store: self.link.store.clone(), why }
    }

    /// The error that a failed call on the data at `url` stands for.
    pub(super) fn failed(&self, step: &'static str, at: &At, url: &str, error: CephError) -> StoreError {
        // A pool that is not there may be one that cannot be seen.
        if error.is(Errno::ENOENT) && !["rados_ioctx_create", "rados_connect"].contains(&error.call) {
            return StoreError::NotFound { url: url.to_owned() };
        }
        self.link.failed(step, &at.pool, url, error)
    }
}
