//! The read-only store of data on web servers: `http://` and `https://` URLs, read as glance_store reads them.
//!
//! Whoever may give an image a location makes this server ask that URL; `[import_filtering_opts]` says which are taken
//! ([`may_ask`], where locations are added). What a name stands for is judged again whenever it is connected to, and so is
//! where a redirect leads.

mod address;
mod client;
mod filter;
mod request;
mod resolve;
#[cfg(test)]
mod tests;

pub(super) use filter::Filtering;

pub use client::web_client;
pub use filter::{ImportFiltering, addresses_of, may_ask};

use crate::image::ImageId;
use crate::store::{Blocks, OpenError, Room, Settings, Store, StoreError, Writing};
use futures_util::{FutureExt, future::BoxFuture};
use std::ops::Range;

/// The http store.
pub(super) struct HttpStore {
    name: String,
    web: request::Web,
}

// === impl HttpStore ===

impl HttpStore {
    /// Reads the certificates that it is to trust.
    pub(super) fn open(name: &str, settings: &Settings, rules: &Filtering) -> Result<Self, OpenError> {
        let web = request::Web { client: client::build(settings, rules)?, rules: rules.clone() };
        Ok(Self { name: name.to_owned(), web })
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
        request::read(&self.web, url, range).boxed()
    }

    fn write<'a>(&'a self, _: &'a ImageId, _: Option<u64>) -> BoxFuture<'a, Result<Box<dyn Writing>, StoreError>> {
        std::future::ready(Err(self.read_only())).boxed()
    }

    fn size<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<u64, StoreError>> {
        request::size(&self.web, url).boxed()
    }

    fn remove<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        std::future::ready(Err(self.read_only())).boxed()
    }

    fn room(&self) -> BoxFuture<'_, Result<Option<Room>, StoreError>> {
        std::future::ready(Ok(None)).boxed()
    }
}
