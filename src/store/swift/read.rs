//! Reading: range requests, each sent once.

use super::{
    address::shown,
    fault::Fault,
    wire::{Ask, SILENCE, Session},
};
use crate::store::{
    Blocks, StoreError,
    resume::{self, Broken, FAILURES, Pieces, Ranged},
};
use async_stream::try_stream;
use futures_util::{FutureExt, StreamExt, future::BoxFuture};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use reqwest::Response;
use std::{ops::Range, sync::Arc};
use tokio::time::timeout;

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

/// The bytes of `range` of an object.
pub(super) async fn read(source: Source, range: Range<u64>) -> Result<Blocks, StoreError> {
    if range.start >= range.end {
        let size = size(&source).await?;
        if range.end > size || range.start > range.end {
            return Err(StoreError::Short { url: shown(&source.url), size, wanted: range.end.max(range.start) });
        }
        return Ok(futures_util::stream::empty().boxed());
    }
    resume::read(source, range).await
}

/// The length of the object.
pub(super) async fn size(it: &Source) -> Result<u64, StoreError> {
    let head = it.session.head(&it.container, &it.object).await;
    match head.map_err(|fault| fault.into_error("read", &it.url, &it.store))? {
        None => Err(StoreError::NotFound { url: shown(&it.url) }),
        Some(head) => head.len.ok_or_else(|| StoreError::Unmeasured { url: shown(&it.url) }),
    }
}

// === impl Source ===

impl Source {
    /// Asks for a range, once: whoever reads goes on by himself.
    async fn open(&self, left: &Range<u64>) -> Result<Response, Broken> {
        let Self { session, container, object, .. } = self;
        let broken = |fault: Fault| self.broken(fault);
        let range = format!("bytes={}-{}", left.start, left.end - 1);
        let mut headers = HeaderMap::new();
        let range = HeaderValue::try_from(range).map_err(|_| broken(Fault::settled("no range")))?;
        headers.insert(header::RANGE, range);
        let ask = Ask { container, object, headers, once: true, ..Ask::default() };
        let answer = match session.get(&ask).await {
            Err(fault) if fault.status == Some(StatusCode::RANGE_NOT_SATISFIABLE) => {
                let head = session.head(container, object).await.map_err(broken)?;
                return Err(self.short(head.and_then(|it| it.len).unwrap_or(left.start), left));
            }
            answer => answer.map_err(broken)?,
        };
        let total = if answer.status() == StatusCode::PARTIAL_CONTENT {
            let told = content_range(&answer);
            let (start, total) = told.ok_or_else(|| broken(Fault::settled("the server does not tell the range")))?;
            if start != left.start {
                return Err(broken(Fault::settled("the server sends another range")));
            }
            total
        } else if left.start == 0 {
            answer.content_length()
        } else {
            // Of a manifest with more segments than a list of the server's has.
            return Err(broken(Fault::settled("the server sends the whole object for a range of it")));
        };
        match total.filter(|it| *it < left.end) {
            Some(total) => Err(self.short(total, left)),
            None => Ok(answer),
        }
    }

    fn broken(&self, fault: Fault) -> Broken {
        Broken { again: fault.is_momentary(), error: fault.into_error("read", &self.url, &self.store) }
    }

    fn short(&self, size: u64, left: &Range<u64>) -> Broken {
        Broken { error: StoreError::Short { url: shown(&self.url), size, wanted: left.end }, again: false }
    }
}

impl Ranged for Source {
    fn ask(&self, range: Range<u64>) -> BoxFuture<'_, Result<Pieces, Broken>> {
        async move {
            let (mut answer, url, store) = (self.open(&range).await?, self.url.clone(), self.store.clone());
            let pieces = try_stream! {
                loop {
                    let chunk = timeout(SILENCE, answer.chunk()).await;
                    let silent = |_| Fault::new(format!("the server sends nothing for {} s", SILENCE.as_secs()));
                    let chunk = chunk.map_err(silent).and_then(|it| it.map_err(Fault::of_request));
                    let broken = |it: Fault| Broken { error: it.into_error("read", &url, &store), again: true };
                    match chunk.map_err(broken)? {
                        Some(chunk) => yield chunk,
                        None => break,
                    }
                }
            };
            Ok(pieces.boxed())
        }
        .boxed()
    }

    fn shown(&self) -> String {
        shown(&self.url)
    }

    fn failures(&self) -> u32 {
        FAILURES.max(self.retries)
    }
}

/// The first byte, and the length of the whole when it is told: `bytes 5-9/100`.
fn content_range(answer: &Response) -> Option<(u64, Option<u64>)> {
    let text = answer.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split('-').next()?.parse().ok()?, total.parse().ok()))
}
