//! How data gets into stores.

mod error;
mod intake;

pub use error::IngestError;

use crate::base::digest::Algorithm;
use crate::diskformat::Inspection;
use crate::image::ImageId;
use crate::store::{StagedData, Store, StoreError};
use bytes::Bytes;
use futures_util::Stream;
use intake::{Intake, Sinks};
use std::{error::Error, sync::Arc};

/// What an upload may be, and how it is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes (Glance's `image_size_cap`).
    pub size_cap: u64,
    /// Exactly so many bytes, when somebody said so (Content-Length, `x-openstack-image-size`).
    pub expected: Option<u64>,
    /// The algorithm of `os_hash_value`; md5 is computed besides.
    pub hash: Algorithm,
    /// A further hash that is asked for: the one that a signature is of.
    pub also: Option<Algorithm>,
}

/// What is known of data once all of it has gone by.
#[derive(Clone, Debug)]
pub struct Ingested {
    /// Bytes.
    pub size: u64,
    /// md5, in hex.
    pub checksum: String,
    /// The algorithm of `hash_value`.
    pub hash_algo: Algorithm,
    /// The hash, in hex.
    pub hash_value: String,
    /// [`Limits::also`], in hex, if it was asked for.
    pub also: Option<String>,
    /// What its content is.
    pub inspection: Inspection,
}

/// Data that is in the store but not visible: judge it, then commit it. Dropping it removes it.
pub struct Staged {
    facts: Ingested,
    data: Box<dyn StagedData>,
}

/// The same data in several stores, likewise.
pub struct Spread {
    /// What is known of it.
    pub facts: Ingested,
    /// What became of it in each store, in the order in which they were given.
    pub copies: Vec<Result<Box<dyn StagedData>, StoreError>>,
}

/// What happens when one of several stores fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// That is the end.
    Stop,
    /// The others go on, while there is one.
    GoOn,
}

/// Streams `body` into the store as the data of image `id`.
///
/// md5, the other hashes and the write each have a thread; memory is bounded by a few MiB. On any error, and when the
/// future is dropped, nothing is left in the store.
pub async fn ingest<S, E>(body: S, store: &dyn Store, id: &ImageId, limits: Limits) -> Result<Staged, IngestError>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    limits.check_expected()?;
    let sinks = Sinks::one(store, id, limits.expected).await?;
    let Spread { facts, copies } = Intake::hashing(sinks, limits).drain(body).await?;
    match copies.into_iter().next() {
        Some(Ok(data)) => Ok(Staged { facts, data }),
        Some(Err(error)) => Err(IngestError::Store(error)),
        None => Err(IngestError::NoStore),
    }
}

/// Streams `body` into several stores at once: it is read once and hashed once, and goes on as fast as the slowest store
/// takes it.
///
/// # Errors
/// [`IngestError`]; as with [`ingest`], nothing is left then. With [`OnFailure::GoOn`] that of a store only when no store
/// is left.
pub async fn spread<S, E>(
    body: S,
    stores: &[Arc<dyn Store>],
    id: &ImageId,
    (limits, on_failure): (Limits, OnFailure),
) -> Result<Spread, IngestError>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    limits.check_expected()?;
    let sinks = Sinks::open(stores, id, limits.expected, on_failure).await?;
    Intake::hashing(sinks, limits).drain(body).await
}

/// Hashes, measures and inspects `body`, and keeps nothing of it.
///
/// # Errors
/// [`IngestError`] of the body, and of its size.
pub async fn measure<S, E>(body: S, limits: Limits) -> Result<Ingested, IngestError>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    limits.check_expected()?;
    Ok(Intake::hashing(Sinks::none(), limits).drain(body).await?.facts)
}

/// Streams `body` into the store without looking at it; the size that it has.
///
/// # Errors
/// [`IngestError`]; as with [`ingest`], nothing is left then.
pub async fn keep<S, E>(
    body: S,
    store: &dyn Store,
    id: &ImageId,
    limits: Limits,
) -> Result<(u64, Box<dyn StagedData>), IngestError>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    limits.check_expected()?;
    let sinks = Sinks::one(store, id, limits.expected).await?;
    let (size, copies) = Intake::blind(sinks, limits).fill(body).await?.end().await?;
    match copies.into_iter().next() {
        Some(Ok(data)) => Ok((size, data)),
        Some(Err(error)) => Err(IngestError::Store(error)),
        None => Err(IngestError::NoStore),
    }
}

// === impl Limits ===

impl Limits {
    fn check_expected(&self) -> Result<(), IngestError> {
        match self.expected.filter(|it| *it > self.size_cap) {
            Some(expected) => Err(IngestError::TooLarge { cap: self.size_cap, expected: Some(expected) }),
            None => Ok(()),
        }
    }
}

// === impl Staged ===

impl Staged {
    /// What is known of it.
    pub fn facts(&self) -> &Ingested {
        &self.facts
    }

    /// The URL that it will have.
    pub fn url(&self) -> &str {
        self.data.url()
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

impl std::fmt::Debug for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spread").field("facts", &self.facts).field("copies", &self.copies.len()).finish()
    }
}
