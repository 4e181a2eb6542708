//! Reading: one range request, and another one from where it breaks off.

use super::{
    address::shown,
    fault::{Fault, remote},
    wire::{Ask, SILENCE, Session, jittered},
};
use crate::store::{Blocks, StoreError};
use async_stream::try_stream;
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use reqwest::Response;
use std::{ops::Range, sync::Arc, time::Duration};
use tokio::time::timeout;

/// Requests in a row that may fail without this much coming in between, bytes.
const FAILURES: u32 = 6;
const PROGRESS: u64 = 1 << 20;

/// Requests for one read in all.
const REQUESTS: u32 = 1000;

/// The pause after the first failure; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// An object that a location URL names.
pub(super) struct Source {
    pub(super) session: Arc<Session>,
    pub(super) container: String,
    pub(super) object: String,
    /// As it was asked for.
    pub(super) url: String,
    /// The store's name.
    pub(super) store: String,
    /// Failures in a row that the options ask for.
    pub(super) retries: u32,
}

/// Where a read stands.
struct Reading {
    source: Source,
    left: Range<u64>,
    /// None until it is asked for, and when it has broken off.
    open: Option<Response>,
    failures: u32,
    requests: u32,
    /// The first byte after the last failure.
    since: u64,
}

/// What became of a step.
enum Step {
    Piece(Bytes),
    /// The object has so many bytes, which are not enough.
    Short(u64),
}

/// The bytes of `range` of an object.
pub(super) async fn read(source: Source, range: Range<u64>) -> Result<Blocks, StoreError> {
    if range.start >= range.end {
        let size = size(&source).await?;
        if range.end > size || range.start > range.end {
            return Err(StoreError::Short { url: shown(&source.url), size, wanted: range.end.max(range.start) });
        }
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

/// The length of the object.
pub(super) async fn size(it: &Source) -> Result<u64, StoreError> {
    let head = it.session.head(&it.container, &it.object).await;
    match head.map_err(|fault| fault.into_error("read", &it.url, &it.store))? {
        None => Err(StoreError::NotFound { url: shown(&it.url) }),
        Some(head) => head.len.ok_or_else(|| StoreError::Unmeasured { url: shown(&it.url) }),
    }
}

// === impl Reading ===

impl Reading {
    /// The next bytes; never none.
    async fn next(&mut self) -> Result<Bytes, StoreError> {
        loop {
            match self.step().await {
                Ok(Step::Piece(mut piece)) if !piece.is_empty() => {
                    piece.truncate(usize::try_from(self.left.end - self.left.start).unwrap_or(usize::MAX));
                    self.left.start += piece.len() as u64;
                    if self.left.start - self.since >= PROGRESS {
                        self.failures = 0;
                    }
                    return Ok(piece);
                }
                Ok(Step::Piece(_)) => self.failed(Fault::new("the data ends before its end")).await?,
                Ok(Step::Short(size)) => {
                    let url = shown(&self.source.url);
                    return Err(StoreError::Short { url, size, wanted: self.left.end });
                }
                Err(fault) => self.failed(fault).await?,
            }
        }
    }

    async fn step(&mut self) -> Result<Step, Fault> {
        if self.open.is_none() {
            self.requests += 1;
            if let Some(short) = self.ask().await? {
                return Ok(Step::Short(short));
            }
        }
        let Some(open) = &mut self.open else { return Err(Fault::new("there is no answer")) };
        let chunk = timeout(SILENCE, open.chunk()).await;
        let chunk = chunk.map_err(|_| Fault::new(format!("the server sends nothing for {} s", SILENCE.as_secs())))?;
        Ok(Step::Piece(chunk.map_err(Fault::of_request)?.unwrap_or_default()))
    }

    /// Asks for what is left; the length of the object when that is too much.
    async fn ask(&mut self) -> Result<Option<u64>, Fault> {
        let Source { session, container, object, .. } = &self.source;
        let range = format!("bytes={}-{}", self.left.start, self.left.end - 1);
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::try_from(range).map_err(|_| Fault::new("no range"))?);
        // Whoever reads goes on by himself.
        let ask = Ask { container, object, headers, once: true, ..Ask::default() };
        let answer = match session.get(&ask).await {
            Err(fault) if fault.status == Some(StatusCode::RANGE_NOT_SATISFIABLE) => {
                let head = session.head(container, object).await?;
                return Ok(Some(head.and_then(|it| it.len).unwrap_or(self.left.start)));
            }
            answer => answer?,
        };
        let total = if answer.status() == StatusCode::PARTIAL_CONTENT {
            let (start, total) =
                content_range(&answer).ok_or_else(|| Fault::settled("the server does not tell the range"))?;
            if start != self.left.start {
                return Err(Fault::settled("the server sends another range"));
            }
            total
        } else if self.left.start == 0 {
            answer.content_length()
        } else {
            // Of a manifest with more segments than a list of the server's has.
            return Err(Fault::settled("the server sends the whole object for a range of it"));
        };
        if let Some(total) = total.filter(|it| *it < self.left.end) {
            return Ok(Some(total));
        }
        self.open = Some(answer);
        Ok(None)
    }

    /// Waits before the next request, or says that there is none.
    async fn failed(&mut self, fault: Fault) -> Result<(), StoreError> {
        self.open = None;
        self.failures += 1;
        self.since = self.left.start;
        let Source { url, store, retries, .. } = &self.source;
        if !fault.is_momentary() || self.failures >= FAILURES.max(*retries) || self.requests >= REQUESTS {
            // It was there when the first bytes came.
            let vanished = fault.is_missing() && self.requests > 1;
            return Err(match vanished {
                true => remote("read", url, fault.words()),
                false => fault.into_error("read", url, store),
            });
        }
        tracing::debug!(
            url = shown(url),
            at = self.left.start,
            error = fault.words(),
            "reading goes on with another request"
        );
        tokio::time::sleep(jittered(FIRST_PAUSE * 2_u32.pow(self.failures.min(10) - 1))).await;
        Ok(())
    }
}

/// The first byte, and the length of the whole when it is told: `bytes 5-9/100`.
fn content_range(answer: &Response) -> Option<(u64, Option<u64>)> {
    let text = answer.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split('-').next()?.parse().ok()?, total.parse().ok()))
}
