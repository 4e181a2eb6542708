//! Passing a stream on: to the hashes, to the inspector and to each store.

use super::{IngestError, Ingested, Limits, OnFailure, Spread};
use crate::base::{
    Batch, Batcher,
    digest::{Algorithm, Digests},
};
use crate::diskformat::Inspector;
use crate::image::ImageId;
use crate::store::{StagedData, Store, StoreError, Writing};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, future::join_all};
use std::{error::Error, pin::pin, sync::Arc};

/// Where the data goes.
pub(super) struct Sinks {
    all: Vec<Result<Box<dyn Writing>, StoreError>>,
    /// Of each; empty for an only one.
    names: Vec<String>,
    on_failure: OnFailure,
}

/// A stream on its way.
pub(super) struct Intake {
    sinks: Sinks,
    digests: Digests,
    /// None for data that nobody looks at yet.
    inspector: Option<Inspector>,
    batcher: Batcher,
    size: u64,
    limits: Limits,
}

/// What became of the data in each store.
type Copies = Vec<Result<Box<dyn StagedData>, StoreError>>;

// === impl Sinks ===

impl Sinks {
    pub(super) fn none() -> Self {
        Self { all: Vec::new(), names: Vec::new(), on_failure: OnFailure::Stop }
    }

    pub(super) async fn one(store: &dyn Store, id: &ImageId, expected: Option<u64>) -> Result<Self, IngestError> {
        let writing = store.write(id, expected).await.map_err(IngestError::Store)?;
        Ok(Self { all: vec![Ok(writing)], names: Vec::new(), on_failure: OnFailure::Stop })
    }

    pub(super) async fn open(
        stores: &[Arc<dyn Store>],
        id: &ImageId,
        expected: Option<u64>,
        on_failure: OnFailure,
    ) -> Result<Self, IngestError> {
        if stores.is_empty() {
            return Err(IngestError::NoStore);
        }
        let names = stores.iter().map(|it| it.name().to_owned()).collect();
        let all = join_all(stores.iter().map(|it| it.write(id, expected))).await;
        let mut sinks = Self { all, names, on_failure };
        worth_going_on(&mut sinks.all, &sinks.names, on_failure)?;
        Ok(sinks)
    }

    async fn write(&mut self, batch: &Batch) -> Result<(), IngestError> {
        let write = async |sink: &mut Result<Box<dyn Writing>, StoreError>| {
            if let Ok(writing) = sink
                && let Err(error) = writing.write(batch.clone()).await
            {
                *sink = Err(error);
            }
        };
        join_all(self.all.iter_mut().map(write)).await;
        worth_going_on(&mut self.all, &self.names, self.on_failure)
    }

    async fn finish(self) -> Result<Copies, IngestError> {
        let finish = async |sink: Result<Box<dyn Writing>, StoreError>| match sink {
            Ok(writing) => writing.finish().await,
            Err(error) => Err(error),
        };
        let mut copies = join_all(self.all.into_iter().map(finish)).await;
        worth_going_on(&mut copies, &self.names, self.on_failure)?;
        Ok(copies)
    }
}

/// The error that is the end of it all, taken out.
fn worth_going_on<T>(
    all: &mut Vec<Result<T, StoreError>>,
    names: &[String],
    on_failure: OnFailure,
) -> Result<(), IngestError> {
    let Some(at) = all.iter().position(Result::is_err) else { return Ok(()) };
    if on_failure == OnFailure::GoOn && all.iter().any(Result::is_ok) {
        return Ok(());
    }
    match (all.swap_remove(at), names.get(at)) {
        (Ok(_), _) => Ok(()),
        (Err(source), Some(store)) => Err(IngestError::StoreOf { store: store.clone(), source }),
        (Err(source), None) => Err(IngestError::Store(source)),
    }
}

// === impl Intake ===

impl Intake {
    /// Hashes and inspects what goes by.
    pub(super) fn hashing(sinks: Sinks, limits: Limits) -> Self {
        let wanted: Vec<Algorithm> = [Algorithm::Md5, limits.hash].into_iter().chain(limits.also).collect();
        let digests = Digests::new(&wanted);
        Self { sinks, digests, inspector: Some(Inspector::new()), batcher: Batcher::default(), size: 0, limits }
    }

    /// Only passes it on.
    pub(super) fn blind(sinks: Sinks, limits: Limits) -> Self {
        Self { sinks, digests: Digests::new(&[]), inspector: None, batcher: Batcher::default(), size: 0, limits }
    }

    /// Takes all of it.
    pub(super) async fn fill<S, E>(mut self, body: S) -> Result<Self, IngestError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let mut body = pin!(body);
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|e| IngestError::Body { got: self.size, source: e.into() })?;
            self.take(chunk).await?;
        }
        if let Some(expected) = self.limits.expected.filter(|it| *it != self.size) {
            return Err(IngestError::Size { expected, got: self.size });
        }
        if let Some(last) = self.batcher.take() {
            self.pass_on(last).await?;
        }
        Ok(self)
    }

    /// Takes all of it, and says what it is.
    pub(super) async fn drain<S, E>(self, body: S) -> Result<Spread, IngestError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let Self { sinks, digests, inspector, size, limits, .. } = self.fill(body).await?;
        // The hashes are computed while the data is made safe.
        let (copies, sums) = tokio::join!(sinks.finish(), digests.finish());
        let (copies, sums) = (copies?, sums.map_err(IngestError::Digest)?);
        let sum = |algorithm| sums.iter().find(|it| it.0 == algorithm).map(|it| it.1.clone()).unwrap_or_default();
        let facts = Ingested {
            size,
            checksum: sum(Algorithm::Md5),
            hash_algo: limits.hash,
            hash_value: sum(limits.hash),
            also: limits.also.map(sum),
            inspection: inspector.unwrap_or_default().finish_at(size),
        };
        Ok(Spread { facts, copies })
    }

    /// The size, and what became of it.
    pub(super) async fn end(self) -> Result<(u64, Copies), IngestError> {
        Ok((self.size, self.sinks.finish().await?))
    }

    async fn take(&mut self, chunk: Bytes) -> Result<(), IngestError> {
        self.size += chunk.len() as u64;
        if let Some(expected) = self.limits.expected.filter(|it| self.size > *it) {
            return Err(IngestError::Size { expected, got: self.size });
        }
        if self.size > self.limits.size_cap {
            return Err(IngestError::TooLarge { cap: self.limits.size_cap, expected: None });
        }
        if let Some(inspector) = self.inspector.as_mut().filter(|it| !it.settled()) {
            inspector.feed(&chunk);
        }
        match self.batcher.push(chunk) {
            Some(batch) => self.pass_on(batch).await,
            None => Ok(()),
        }
    }

    async fn pass_on(&mut self, batch: Batch) -> Result<(), IngestError> {
        let batch = batch.placed().await;
        self.digests.update_batch(batch.clone()).await;
        self.sinks.write(&batch).await
    }
}
