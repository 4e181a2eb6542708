//! What a back end does: five verbs.

use crate::base::Batch;
use crate::image::ImageId;
use crate::store::StoreError;
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture, stream::BoxStream};
use std::ops::Range;

/// The data of an image, in blocks of about 1 MiB.
pub type Blocks = BoxStream<'static, Result<Bytes, StoreError>>;

/// A place where images are kept.
///
/// Data appears under its URL whole or not at all, and stays as it is until it is removed.
pub trait Store: Send + Sync {
    /// The name that operators gave it (`enabled_backends`), `file` and so on without one.
    fn name(&self) -> &str;

    /// What the URLs of its data begin with.
    fn schemes(&self) -> &'static [&'static str];

    /// Whether data at this URL would be its own.
    fn owns(&self, url: &str) -> bool {
        self.schemes().iter().any(|scheme| url.starts_with(scheme))
    }

    /// Whether it can read data at this URL that is said to be in it, as under a former name of its server.
    fn reads(&self, url: &str) -> bool {
        self.schemes().iter().any(|scheme| url.starts_with(scheme))
    }

    /// The URL that this image's data has, or would have.
    fn url(&self, id: &ImageId) -> String;

    /// All URLs that this image's data may have, since a store may have several folders.
    fn urls(&self, id: &ImageId) -> Vec<String> {
        Some(self.url(id)).filter(|it| !it.is_empty()).into_iter().collect()
    }

    /// What is noted beside the URL of new data.
    fn metadata(&self, _url: &str) -> serde_json::Map<String, serde_json::Value> {
        serde_json::Map::new()
    }

    /// Reads `range`, which must lie within the data. Dropping the stream stops the reads.
    fn read<'a>(&'a self, url: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Blocks, StoreError>>;

    /// Begins to write the data of an image; `expected` is its length when known.
    fn write<'a>(
        &'a self,
        id: &'a ImageId,
        expected: Option<u64>,
    ) -> BoxFuture<'a, Result<Box<dyn Writing>, StoreError>>;

    /// Length of the data, bytes.
    fn size<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<u64, StoreError>>;

    /// Removes the data for good.
    fn remove<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Removes what writers of this image left half-written; the caller knows that they are dead.
    fn clear<'a>(&'a self, _id: &'a ImageId) -> BoxFuture<'a, Result<(), StoreError>> {
        std::future::ready(Ok(())).boxed()
    }

    /// Looks whether something needs the data, so that it cannot be removed. That is no promise: whoever comes later is
    /// found by [`Store::remove`].
    ///
    /// # Errors
    /// [`StoreError::InUse`], and whatever keeps it from looking.
    fn in_use<'a>(&'a self, _url: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        std::future::ready(Ok(())).boxed()
    }

    /// The id of the cluster that it is in, where there is one (Ceph's fsid).
    fn cluster(&self) -> Option<&str> {
        None
    }

    /// Removes what writers left half-written that are dead.
    fn tidy(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        std::future::ready(Ok(())).boxed()
    }

    /// Bytes of the pieces in which it keeps data (parts, segments, objects), or writes it: data around such borders is
    /// what [`crate::store::conformance`] tries.
    fn part(&self) -> u64 {
        1 << 20
    }

    /// How much room there is; none when the back end cannot tell.
    fn room(&self) -> BoxFuture<'_, Result<Option<Room>, StoreError>>;
}

/// Data being written. Dropping it, at any await, leaves nothing behind.
pub trait Writing: Send {
    /// Takes the next bytes; waits when the back end is behind.
    fn write(&mut self, batch: Batch) -> BoxFuture<'_, Result<(), StoreError>>;

    /// All bytes are there: they are made safe (fsync), but are not visible yet.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Box<dyn StagedData>, StoreError>>;
}

/// Data that is safe but not visible. Dropping it removes it.
pub trait StagedData: Send + Sync {
    /// The URL that it will have.
    fn url(&self) -> &str;

    /// Makes it visible, for good. Dropping the future before it is done leaves nothing behind.
    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>>;
}

/// Room of a store, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// For us to use.
    pub free: u64,
    /// In all.
    pub total: u64,
}
