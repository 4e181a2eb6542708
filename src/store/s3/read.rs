//! Reading: one range request, and another one from where it breaks off.

use super::{bucket::Bucket, fault, transport::jittered};
use crate::store::{Blocks, StoreError};
use async_stream::try_stream;
use bytes::Bytes;
use futures_util::StreamExt;
use opendal::{BufferStream, Error, ErrorKind};
use std::{ops::Range, time::Duration};

/// Requests in a row that may fail without this much coming in between, bytes.
const FAILURES: u32 = 6;
const PROGRESS: u64 = 1 << 20;

/// Requests for one read in all.
const REQUESTS: u32 = 1000;

/// The pause after the first failure; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Source {
    pub(super) bucket: Bucket,
    pub(super) key: String,
    /// As it was asked for.
    pub(super) url: String,
    /// The store's name.
    pub(super) store: String,
}

/// Where a read stands.
struct Reading {
    source: Source,
    left: Range<u64>,
    /// None until it is asked for, and when it has broken off.
    open: Option<BufferStream>,
    failures: u32,
    requests: u32,
    /// The first byte after the last failure.
    since: u64,
}

/// The bytes of `range` of an object that has at least so many.
pub(super) async fn read(source: Source, range: Range<u64>) -> Result<Blocks, StoreError> {
    if range.is_empty() {
        return Ok(futures_util::stream::empty().boxed());
    }
    let mut reading = Reading { source, since: range.start, left: range, open: None, failures: 0, requests: 0 };
    // The first bytes are waited for, so that a server that gives none is an error before anything is sent on.
    let first = reading.next().await?;
    let blocks = try_stream! {
        yield first;
        while !reading.left.is_empty() {
            yield reading.next().await?;
        }
    };
    Ok(blocks.boxed())
}

// === impl Reading ===

impl Reading {
    /// The next bytes; never none.
    async fn next(&mut self) -> Result<Bytes, StoreError> {
        loop {
            match self.piece().await {
                Ok(mut piece) if !piece.is_empty() => {
                    piece.truncate(usize::try_from(self.left.end - self.left.start).unwrap_or(usize::MAX));
                    self.left.start += piece.len() as u64;
                    if self.left.start - self.since >= PROGRESS {
                        self.failures = 0;
                    }
                    return Ok(piece);
                }
                Ok(_) => self.failed(&ended()).await?,
                Err(error) => self.failed(&error).await?,
            }
        }
    }

    async fn piece(&mut self) -> opendal::Result<Bytes> {
        if self.open.is_none() {
            self.requests += 1;
            let reader = self.source.bucket.op.reader(&self.source.key).await?;
            self.open = Some(reader.into_stream(self.left.clone()).await?);
        }
        let Some(open) = &mut self.open else { return Err(ended()) };
        Ok(open.next().await.transpose()?.map(|it| it.to_bytes()).unwrap_or_default())
    }

    /// Waits before the next request, or says that there is none.
    async fn failed(&mut self, error: &Error) -> Result<(), StoreError> {
        self.open = None;
        self.failures += 1;
        self.since = self.left.start;
        let Source { url, store, .. } = &self.source;
        // A server that breaks off says nothing about it, whatever the kind.
        let final_word =
            matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::ConfigInvalid);
        if error.kind() == ErrorKind::RangeNotSatisfied {
            return Err(StoreError::Short {
                url: super::address::shown(url),
                size: self.left.start,
                wanted: self.left.end,
            });
        }
        if final_word || self.failures >= FAILURES || self.requests >= REQUESTS {
            return Err(fault::of("read", url, store, error));
        }
        tracing::debug!(
            url = super::address::shown(url),
            at = self.left.start,
            error = fault::words(error),
            "reading goes on with another request"
        );
        tokio::time::sleep(jittered(FIRST_PAUSE * 2_u32.pow(self.failures.min(10) - 1))).await;
        Ok(())
    }
}

fn ended() -> Error {
    Error::new(ErrorKind::Unexpected, "the data ends before its end")
}
