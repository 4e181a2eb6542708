//! The rbd store: images in a pool of Ceph, as Glance keeps them, so that Nova and Cinder can clone them.
//!
//! ```text
//! rbd://<fsid>/<pool>/<image id>/snap     an image and its protected snapshot
//! .larder-<image id>-<random>.part        an image that is being written: renamed when all of it is there
//! ```
//!
//! Ceph's libraries are opened at run time (`ceph`).

mod alone;
mod aside;
mod ceph;
mod cut;
mod link;
mod place;
mod read;
mod remove;
mod room;
mod settings;
mod site;
mod write;

pub use settings::RbdSettings;

use crate::image::ImageId;
use crate::store::{Blocks, OpenError, Room, Store, StoreError, Writing};
use futures_util::{FutureExt, future::BoxFuture};
use link::Link;
use place::{Place, SCHEME};
use site::Site;
use std::{ops::Range, sync::Arc};

/// The rbd store.
pub(super) struct RbdStore {
    site: Arc<Site>,
}

// === impl RbdStore ===

impl RbdStore {
    /// Connects to the cluster.
    pub(super) fn open(name: &str, settings: &RbdSettings) -> Result<Self, OpenError> {
        Ok(Self { site: Arc::new(Site { link: Link::open(name, settings)? }) })
    }
}

impl Store for RbdStore {
    fn name(&self) -> &str {
        &self.site.link.store
    }

    fn schemes(&self) -> &'static [&'static str] {
        &[SCHEME]
    }

    /// In its pool, or in a URL of the older form.
    fn owns(&self, url: &str) -> bool {
        let ours = |it: place::Home| it.fsid == self.site.link.fsid() && it.pool == self.site.pool();
        Place::parse(url).is_ok_and(|it| it.home.is_none_or(ours))
    }

    fn part(&self) -> u64 {
        1 << self.site.link.settings.order()
    }

    fn url(&self, id: &ImageId) -> String {
        Place::url(self.site.link.fsid(), self.site.pool(), id.as_str())
    }

    fn read<'a>(&'a self, url: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Blocks, StoreError>> {
        async move { read::read(Arc::clone(&self.site), self.site.at(url)?, url, range).await }.boxed()
    }

    fn write<'a>(
        &'a self,
        id: &'a ImageId,
        expected: Option<u64>,
    ) -> BoxFuture<'a, Result<Box<dyn Writing>, StoreError>> {
        write::begin(Arc::clone(&self.site), id, expected).boxed()
    }

    fn size<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<u64, StoreError>> {
        async move {
            let at = self.site.at(url)?;
            let wanted = at.clone();
            let size = self.site.link.work(move |cluster, _| read::open(cluster, &wanted)?.size());
            size.await.map_err(|error| self.site.failed("measured", &at, url, error))
        }
        .boxed()
    }

    fn remove<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        remove::remove(&self.site, url).boxed()
    }

    fn in_use<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        remove::in_use(&self.site, url).boxed()
    }

    fn tidy(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            let pool = self.site.pool().to_owned();
            let tidied =
                self.site.link.work(move |cluster, beat| aside::tidy(&ceph::Pool::open(cluster, &pool)?, beat));
            let url = format!("{SCHEME}{}/{}", self.site.link.fsid(), self.site.pool());
            tidied.await.map_err(|error| self.site.link.failed("tidied", self.site.pool(), &url, error))
        }
        .boxed()
    }

    fn room(&self) -> BoxFuture<'_, Result<Option<Room>, StoreError>> {
        room::room(&self.site).boxed()
    }

    fn cluster(&self) -> Option<&str> {
        Some(self.site.link.fsid()).filter(|it| !it.is_empty())
    }
}
