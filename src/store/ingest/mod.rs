//! How data gets into a store.

mod error;

pub use error::IngestError;

use crate::base::{
    Batcher,
    digest::{Algorithm, Digests},
};
use crate::diskformat::{Inspection, Inspector};
use crate::image::ImageId;
use crate::store::{StagedData, Store, StoreError, Writing};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::{error::Error, pin::pin};

/// What an upload may be, and how it is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes (Glance's `image_size_cap`).
    pub size_cap: u64,
    /// Exactly so many bytes, when somebody said so (Content-Length, `x-openstack-image-size`).
    pub expected: Option<u64>,
    /// The algorithm of `os_hash_value`; md5 is computed besides.
    pub hash: Algorithm,
}

/// What is known of data once all of it has gone by.
#[derive(Clone, Debug)]
pub struct Ingested {
    /// Its URL in the store.
    pub url: String,
    /// Bytes.
    pub size: u64,
    /// md5, in hex.
    pub checksum: String,
    /// The algorithm of `hash_value`.
    pub hash_algo: Algorithm,
    /// The hash, in hex.
    pub hash_value: String,
    /// What its content is.
    pub inspection: Inspection,
}

/// Data that is in the store but not visible: judge it, then commit it. Dropping it removes it.
pub struct Staged {
    facts: Ingested,
    data: Box<dyn StagedData>,
}

/// Streams `body` into the store as the data of image `id`.
///
/// md5, the other hash and the write each have a thread; memory is bounded by a few MiB. On any error, and when the
/// future is dropped, nothing is left in the store.
pub async fn ingest<S, E>(body: S, store: &dyn Store, id: &ImageId, limits: Limits) -> Result<Staged, IngestError>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    if let Some(expected) = limits.expected.filter(|it| *it > limits.size_cap) {
        return Err(IngestError::TooLarge { cap: limits.size_cap, expected: Some(expected) });
    }
    let writing = store.write(id, limits.expected).await.map_err(IngestError::Store)?;
    let digests = Digests::new(&[Algorithm::Md5, limits.hash]);
    let mut intake = Intake { writing, digests, inspector: Inspector::new(), batcher: Batcher::default(), size: 0 };
    let mut body = pin!(body);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|e| IngestError::Body { got: intake.size, source: e.into() })?;
        intake.take(chunk, &limits).await?;
    }
    intake.finish(limits).await
}

/// The three consumers and the inspector.
struct Intake {
    writing: Box<dyn Writing>,
    digests: Digests,
    inspector: Inspector,
    batcher: Batcher,
    size: u64,
}

// === impl Intake ===

impl Intake {
    async fn take(&mut self, chunk: Bytes, limits: &Limits) -> Result<(), IngestError> {
        self.size += chunk.len() as u64;
        if let Some(expected) = limits.expected.filter(|it| self.size > *it) {
            return Err(IngestError::Size { expected, got: self.size });
        }
        if self.size > limits.size_cap {
            return Err(IngestError::TooLarge { cap: limits.size_cap, expected: None });
        }
        if !self.inspector.settled() {
            self.inspector.feed(&chunk);
        }
        match self.batcher.push(chunk) {
            Some(batch) => self.pass_on(batch).await.map_err(IngestError::Store),
            None => Ok(()),
        }
    }

    async fn pass_on(&mut self, batch: crate::base::Batch) -> Result<(), StoreError> {
        let batch = batch.placed().await;
        self.digests.update_batch(batch.clone()).await;
        self.writing.write(batch).await
    }

    async fn finish(mut self, limits: Limits) -> Result<Staged, IngestError> {
        if let Some(expected) = limits.expected.filter(|it| *it != self.size) {
            return Err(IngestError::Size { expected, got: self.size });
        }
        if let Some(last) = self.batcher.take() {
            self.pass_on(last).await.map_err(IngestError::Store)?;
        }
        // The hashes are computed while the data is made safe.
        let (data, sums) = tokio::join!(self.writing.finish(), self.digests.finish());
        let (data, sums) = (data.map_err(IngestError::Store)?, sums.map_err(IngestError::Digest)?);
        let sum = |algorithm| sums.iter().find(|it| it.0 == algorithm).map(|it| it.1.clone()).unwrap_or_default();
        let facts = Ingested {
            url: data.url().to_owned(),
            size: self.size,
            checksum: sum(Algorithm::Md5),
            hash_algo: limits.hash,
            hash_value: sum(limits.hash),
            inspection: self.inspector.finish_at(self.size),
        };
        Ok(Staged { facts, data })
    }
}

// === impl Staged ===

impl Staged {
    /// What is known of it.
    pub fn facts(&self) -> &Ingested {
        &self.facts
    }

    /// Makes it visible under its URL, for good.
    pub async fn commit(self) -> Result<Ingested, StoreError> {
        self.data.commit().await?;
        Ok(self.facts)
    }
}

impl std::fmt::Debug for Staged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Staged").field(&self.facts).finish()
    }
}
