//! Writing: segments are sent while data comes in; the manifest that makes them an object is the commit.
//!
//! Each writer's segments have names of their own (`<id>_<mark>-00001`), so that what a dead one left is no part of what
//! another one writes. Data that is short is held in memory, and is one object at the commit.

use super::{
    address::{shown, word},
    fault::{Fault, remote},
    objects::MARK,
    segment::Segment,
    wire::{Ask, Session},
};
use crate::base::Batch;
use crate::store::{
    StagedData, StoreError, Writing,
    settling::{Published, Settling},
};
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::{sync::Arc, time::Duration};
use tokio::{runtime::Handle, time::sleep};

/// The longest data that is held in memory, bytes.
const HELD: u64 = 8 << 20;

/// Segments that an image may have: names are in order, and a list of them is one page of the server's.
const MOST_SEGMENTS: usize = 9_999;

/// How often, and with which pauses, the server is asked whether its lists have all segments.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Clone)]
pub(super) struct Target {
    pub(super) session: Arc<Session>,
    pub(super) container: String,
    pub(super) object: String,
    pub(super) url: String,
    /// The store's name.
    pub(super) store: String,
    pub(super) settling: Settling,
    /// What tells this writer from others: 16 hex digits.
    pub(super) mark: String,
}

pub(super) struct SwiftWriting {
    target: Target,
    /// Bytes of a segment.
    chunk: u64,
    /// Until it is too long.
    held: Vec<Bytes>,
    held_len: u64,
    /// Segments that were begun.
    begun: usize,
    open: Option<Segment>,
    len: u64,
    over: bool,
}

struct SwiftStaged {
    target: Target,
    held: Vec<Bytes>,
    segments: usize,
    len: u64,
    over: bool,
}

// === impl SwiftWriting ===

impl SwiftWriting {
    /// Nothing is sent as yet.
    pub(super) fn new(target: Target, chunk: u64) -> Self {
        Self { target, chunk, held: Vec::new(), held_len: 0, begun: 0, open: None, len: 0, over: false }
    }

    async fn take(&mut self, batch: &Batch) -> Result<(), Fault> {
        self.len += batch.len() as u64;
        let fits = self.held_len + batch.len() as u64 <= HELD.min(self.chunk);
        if self.begun == 0 && fits {
            self.held.extend_from_slice(batch.pieces());
            self.held_len += batch.len() as u64;
            return Ok(());
        }
        self.held_len = 0;
        for piece in std::mem::take(&mut self.held) {
            self.send(piece).await?;
        }
        for piece in batch.pieces() {
            self.send(piece.clone()).await?;
        }
        Ok(())
    }

    async fn send(&mut self, mut piece: Bytes) -> Result<(), Fault> {
        while !piece.is_empty() {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => self.begin().await?,
            };
            let now = piece.split_to(usize::try_from(open.left).unwrap_or(usize::MAX).min(piece.len()));
            open.left -= now.len() as u64;
            let full = open.left == 0;
            let open = self.open.insert(open);
            open.send(now).await?;
            if full {
                open.end().await?;
                self.open = None;
            }
        }
        Ok(())
    }

    async fn begin(&mut self) -> Result<Segment, Fault> {
        if self.begun == MOST_SEGMENTS {
            return Err(Fault::settled("it has too many segments; set a higher swift_store_large_object_chunk_size"));
        }
        // A body that comes in is sent once, so the token must be good.
        if !self.target.session.has(&self.target.container).await? {
            return Err(Fault::settled(format!("there is no container {} any more", self.target.container)));
        }
        self.begun += 1;
        let name = self.target.segment(self.begun);
        Ok(Segment::begin(Arc::clone(&self.target.session), self.target.container.clone(), name, self.chunk))
    }

    fn give_up(&mut self) {
        if !std::mem::replace(&mut self.over, true) {
            self.target.abandon(self.begun, self.open.take());
        }
    }
}

impl Writing for SwiftWriting {
    fn write(&mut self, batch: Batch) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            if self.over {
                return Err(self.target.over());
            }
            let taken = self.take(&batch).await;
            taken.map_err(|fault| {
                self.give_up();
                self.target.failed(fault)
            })
        }
        .boxed()
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<Box<dyn StagedData>, StoreError>> {
        async move {
            if self.over {
                return Err(self.target.over());
            }
            if let Some(open) = &mut self.open {
                open.end().await.map_err(|fault| self.target.failed(fault))?;
                self.open = None;
            }
            self.over = true;
            let (target, held) = (self.target.clone(), std::mem::take(&mut self.held));
            Ok(Box::new(SwiftStaged { target, held, segments: self.begun, len: self.len, over: false })
                as Box<dyn StagedData>)
        }
        .boxed()
    }
}

impl Drop for SwiftWriting {
    fn drop(&mut self) {
        self.give_up();
    }
}

// === impl SwiftStaged ===

impl SwiftStaged {
    /// Makes the object, unless there is one.
    async fn publish(mut self, mut published: Published) -> Result<Published, StoreError> {
        let target = self.target.clone();
        let head = async || target.session.head(&target.container, &target.object).await;
        let failed = |fault| target.failed(fault);
        if head().await.map_err(failed)?.is_some() {
            return Err(target.duplicate());
        }
        self.settled().await?;
        let ask = Ask {
            method: Method::PUT,
            container: &target.container,
            object: &target.object,
            headers: target.headers(self.segments > 0).map_err(failed)?,
            body: std::mem::take(&mut self.held).concat().into(),
            ..Ask::default()
        };
        let put = target.session.get(&ask).await;
        // From here on an object of ours is taken back if nobody waits for it.
        if put.is_ok() {
            published.made(target.clone().take_back());
        }
        self.over = put.is_ok();
        let found = head().await.map_err(failed)?;
        match (put, found) {
            // The answer may have been lost, and the object be there.
            (_, Some(found)) if found.mark.as_ref() == Some(&target.mark) => {
                self.over = true;
                published.made(target.clone().take_back());
                match found.len {
                    Some(len) if len != self.len => {
                        let what = format!("{} bytes were sent, and the server says that it has {len}", self.len);
                        Err(remote("written", &target.url, &what))
                    }
                    _ => Ok(published),
                }
            }
            (Err(fault), Some(_)) if fault.status == Some(StatusCode::PRECONDITION_FAILED) => Err(target.duplicate()),
            (Err(fault), _) => Err(failed(fault)),
            (Ok(_), Some(_)) => {
                // Another writer was there at the same moment: it is no object of ours.
                published.forget();
                target.abandon(self.segments, None);
                Err(target.duplicate())
            }
            (Ok(_), None) => Err(remote("written", &target.url, "the server took it, and does not have it")),
        }
    }

    /// The server's list has all segments: a manifest is as long as the list says.
    async fn settled(&self) -> Result<(), StoreError> {
        if self.segments == 0 {
            return Ok(());
        }
        let (target, mut seen) = (&self.target, 0);
        for look in 0..LOOKS {
            let listed = target.session.list(&target.container, &target.prefix()).await;
            let listed = listed.map_err(|fault| target.failed(fault))?;
            seen = listed.iter().map(|it| it.bytes).sum();
            if listed.len() == self.segments && seen == self.len {
                return Ok(());
            }
            if look + 1 < LOOKS {
                sleep(PAUSE).await;
            }
        }
        let what = format!("{} bytes were sent, and the server's list of the segments has {seen}", self.len);
        Err(remote("written", &target.url, &what))
    }
}

impl StagedData for SwiftStaged {
    fn url(&self) -> &str {
        &self.target.url
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        async move {
            let target = self.target.clone();
            let url = shown(&target.url);
            let committed = target.settling.commit((&target.object, url), |it| self.publish(it)).await;
            committed.unwrap_or_else(|| Err(target.over()))
        }
        .boxed()
    }
}

impl Drop for SwiftStaged {
    fn drop(&mut self) {
        if !self.over {
            self.target.abandon(self.segments, None);
        }
    }
}

// === impl Target ===

impl Target {
    fn prefix(&self) -> String {
        format!("{}_{}-", self.object, self.mark)
    }

    fn segment(&self, number: usize) -> String {
        format!("{}{number:05}", self.prefix())
    }

    /// Of the object: that there is none as yet, and whose it is.
    fn headers(&self, manifest: bool) -> Result<HeaderMap, Fault> {
        let value = |text: &str| HeaderValue::try_from(text).map_err(|_| Fault::settled("a name cannot be sent"));
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(MARK, value(&self.mark)?);
        if manifest {
            let named = format!("{}/{}", word(&self.container), word(&self.prefix()));
            headers.insert("x-object-manifest", value(&named)?);
        }
        Ok(headers)
    }

    /// Removes the object with its segments.
    async fn take_back(self) {
        if let Err(fault) = self.session.remove(&self.container, &self.object).await {
            tracing::warn!(url = shown(&self.url), error = fault.words(), "it could not be removed");
        }
    }

    /// Removes so many segments, in the background, as soon as the one that is being sent is over.
    fn abandon(&self, segments: usize, open: Option<Segment>) {
        let (true, Ok(runtime)) = (segments > 0, Handle::try_current()) else { return };
        let target = self.clone();
        runtime.spawn(async move {
            if let Some(open) = open {
                open.broken_off().await;
            }
            let names: Vec<String> = (1..=segments).map(|it| target.segment(it)).collect();
            if let Err(fault) = target.session.delete_all(&target.container, &names).await {
                let url = shown(&target.url);
                tracing::warn!(url, error = fault.words(), "what an upload left in segments is not removed yet");
            }
        });
    }

    pub(super) fn duplicate(&self) -> StoreError {
        StoreError::Duplicate { url: shown(&self.url) }
    }

    pub(super) fn failed(&self, fault: Fault) -> StoreError {
        fault.into_write_error(&self.url, &self.store)
    }

    fn over(&self) -> StoreError {
        remote("written", &self.url, "the upload is over already")
    }
}
