//! The read-only store of data on web servers: `http://` and `https://` URLs, read as glance_store reads them.
//!
//! Whoever may give an image a location makes this server ask that URL; `[import_filtering_opts]` says which are taken
//! (checked where locations are added). Redirects are followed to any web server, as glance_store does.

mod client;
mod request;

pub use client::web_client;

use crate::image::ImageId;
use crate::store::{Blocks, OpenError, Room, Settings, Store, StoreError, Writing};
use futures_util::{FutureExt, future::BoxFuture};
use std::ops::Range;

/// The http store.
pub(super) struct HttpStore {
    name: String,
    client: reqwest::Client,
}

// === impl HttpStore ===

impl HttpStore {
    /// Reads the certificates that it is to trust.
    pub(super) fn open(name: &str, settings: &Settings) -> Result<Self, OpenError> {
        Ok(Self { name: name.to_owned(), client: client::build(settings)? })
    }

    fn read_only(&self) -> StoreError {
        StoreError::ReadOnly { store: self.name.clone() }
    }
}

impl Store for HttpStore {
    fn name(&self) -> &str {
        &self.name
    }

    fn schemes(&self) -> &'static [&'static str] {
        &["http://", "https://"]
    }

    /// Nothing is ever written here.
    fn url(&self, _: &ImageId) -> String {
        String::new()
    }

    fn read<'a>(&'a self, url: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Blocks, StoreError>> {
        request::read(&self.client, url, range).boxed()
    }

    fn write<'a>(&'a self, _: &'a ImageId, _: Option<u64>) -> BoxFuture<'a, Result<Box<dyn Writing>, StoreError>> {
        std::future::ready(Err(self.read_only())).boxed()
    }

    fn size<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<u64, StoreError>> {
        request::size(&self.client, url).boxed()
    }

    fn remove<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        std::future::ready(Err(self.read_only())).boxed()
    }

    fn room(&self) -> BoxFuture<'_, Result<Option<Room>, StoreError>> {
        std::future::ready(Ok(None)).boxed()
    }
}
