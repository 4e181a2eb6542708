//! Writing: parts are sent while data comes in; what makes them an object is the commit.
//!
//! Data of one part or less is one request, at the commit; until then it is held in memory, as the last part of longer
//! data is.

use super::{bucket::Bucket, fault};
use crate::base::Batch;
use crate::store::{
    StagedData, StoreError, Writing,
    settling::{Published, Settling},
};
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use opendal::{Buffer, ErrorKind, Writer};
use tokio::runtime::Handle;

/// Parts that an object may have (S3's limit).
const MOST_PARTS: u64 = 10_000;

/// Where the length is not known, parts are twice as long after each so many: 10 MiB at first is enough for 1.5 TiB.
const GROWS_AFTER: u64 = 1500;

/// The most that is on its way to the server, bytes, where parts are not longer.
const UNDER_WAY: u64 = 40 << 20;

/// How data is cut into parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    /// Of the first ones, bytes.
    len: u64,
    /// They grow.
    grow: bool,
    /// Sent at the same time.
    pub(super) at_once: usize,
}

#[derive(Clone)]
pub(super) struct Target {
    pub(super) bucket: Bucket,
    pub(super) key: String,
    pub(super) url: String,
    /// The store's name.
    pub(super) store: String,
    pub(super) settling: Settling,
}

pub(super) struct S3Writing {
    target: Target,
    /// None once it has failed or is finished.
    writer: Option<Writer>,
    parts: Parts,
    /// Parts that were handed over.
    sent: u64,
    held: Vec<Bytes>,
    held_len: u64,
    len: u64,
}

struct S3Staged {
    target: Target,
    writer: Option<Writer>,
    len: u64,
}

// === impl Parts ===

impl Parts {
    /// For data of `expected` bytes, with the options' length of parts and number of senders.
    pub(super) fn new(len: u64, pools: usize, expected: Option<u64>) -> Self {
        let len = expected.map_or(len, |it| len.max(it.div_ceil(MOST_PARTS)));
        let fit = usize::try_from(UNDER_WAY / len).unwrap_or(usize::MAX);
        // Where parts grow, fewer at once.
        let most = if expected.is_none() { fit / 2 } else { fit };
        Self { len, grow: expected.is_none(), at_once: pools.min(most).max(1) }
    }

    /// Bytes of the part after so many; none when there can be no other.
    fn next(self, sent: u64) -> Option<u64> {
        let doubled = if self.grow { self.len << (sent / GROWS_AFTER).min(16) } else { self.len };
        (sent < MOST_PARTS).then_some(doubled)
    }
}

// === impl S3Writing ===

impl S3Writing {
    /// Nothing is sent as yet.
    pub(super) async fn begin(target: Target, parts: Parts) -> Result<Self, StoreError> {
        let writer = target.bucket.op.writer_with(&target.key).concurrent(parts.at_once).await;
        let writer = Some(writer.map_err(|e| target.failed("written", &e))?);
        Ok(Self { target, writer, parts, sent: 0, held: Vec::new(), held_len: 0, len: 0 })
    }

    /// Sends the first `len` bytes of what is held as a part.
    async fn send(&mut self, len: u64) -> Result<(), StoreError> {
        let mut part = Vec::new();
        let mut left = len;
        let mut rest = std::mem::take(&mut self.held).into_iter();
        for mut piece in rest.by_ref() {
            if piece.len() as u64 > left {
                part.push(piece.split_to(left as usize));
                self.held.push(piece);
                break;
            }
            left -= piece.len() as u64;
            part.push(piece);
            if left == 0 {
                break;
            }
        }
        self.held.extend(rest);
        self.held_len -= len;
        self.sent += 1;
        // In one piece: a request is written to the socket by its pieces, and those of clients are small.
        let part = Buffer::from(part);
        let Some(writer) = &mut self.writer else { return Err(self.target.over()) };
        writer.write(part).await.map_err(|e| self.target.failed("written", &e))
    }

    async fn take(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.held.extend_from_slice(batch.pieces());
        self.held_len += batch.len() as u64;
        self.len += batch.len() as u64;
        while let Some(part) = self.parts.next(self.sent).filter(|it| self.held_len > *it) {
            self.send(part).await?;
        }
        if self.sent == MOST_PARTS && self.held_len > 0 {
            return Err(fault::remote("written", &self.target.url, "it is longer than the parts of an object can be"));
        }
        Ok(())
    }
}

impl Writing for S3Writing {
    fn write(&mut self, batch: Batch) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            let taken = self.take(&batch).await;
            if taken.is_err() {
                self.target.abandon(self.writer.take());
            }
            taken
        }
        .boxed()
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<Box<dyn StagedData>, StoreError>> {
        async move {
            if self.held_len > 0 {
                self.send(self.held_len).await?;
            }
            let (target, len) = (self.target.clone(), self.len);
            let Some(writer) = self.writer.take() else { return Err(target.over()) };
            Ok(Box::new(S3Staged { target, writer: Some(writer), len }) as Box<dyn StagedData>)
        }
        .boxed()
    }
}

impl Drop for S3Writing {
    fn drop(&mut self) {
        self.target.abandon(self.writer.take());
    }
}

// === impl S3Staged ===

impl S3Staged {
    /// Makes the object, unless there is one.
    async fn publish(mut self, mut published: Published) -> Result<Published, StoreError> {
        let target = self.target.clone();
        if target.len().await?.is_some() {
            return Err(StoreError::Duplicate { url: target.url.clone() });
        }
        let Some(mut writer) = self.writer.take() else { return Err(target.over()) };
        let closed = writer.close().await;
        // From here on an object of ours is taken back if nobody waits for it.
        if closed.is_ok() {
            published.made(target.clone().take_back());
        }
        match (closed, target.len().await) {
            // The answer may have been lost, and the object be there.
            (_, Ok(Some(len))) if len == self.len => {
                published.made(target.take_back());
                Ok(published)
            }
            (Ok(_), Ok(Some(len))) => {
                let what = format!("{} bytes were sent, and the server says that it has {len}", self.len);
                Err(fault::remote("written", &target.url, &what))
            }
            (Ok(_), Ok(None)) => Err(fault::remote("written", &target.url, "the server took it, and does not have it")),
            (Ok(_), Err(error)) => Err(error),
            (Err(error), _) => {
                target.abandon(Some(writer));
                Err(target.failed("written", &error))
            }
        }
    }
}

impl StagedData for S3Staged {
    fn url(&self) -> &str {
        &self.target.url
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        async move {
            let target = self.target.clone();
            let committed = target.settling.commit((&target.key, target.url.clone()), |it| self.publish(it)).await;
            committed.unwrap_or_else(|| Err(target.over()))
        }
        .boxed()
    }
}

impl Drop for S3Staged {
    fn drop(&mut self) {
        self.target.abandon(self.writer.take());
    }
}

// === impl Target ===

impl Target {
    /// The length of the object; none when there is none.
    pub(super) async fn len(&self) -> Result<Option<u64>, StoreError> {
        match self.bucket.op.stat(&self.key).await {
            Ok(found) => Ok(Some(found.content_length())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("written", &error)),
        }
    }

    /// Removes the object.
    async fn take_back(self) {
        if let Err(error) = self.bucket.op.delete(&self.key).await {
            tracing::warn!(url = self.url, error = fault::words(&error), "it could not be removed");
        }
    }

    /// Aborts an upload, in the background.
    fn abandon(&self, writer: Option<Writer>) {
        let (Some(mut writer), Ok(runtime)) = (writer, Handle::try_current()) else { return };
        let target = self.clone();
        runtime.spawn(async move {
            match writer.abort().await {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    let error = fault::words(&error);
                    tracing::warn!(url = target.url, error, "what an upload left in parts is not removed yet");
                }
            }
        });
    }

    fn failed(&self, step: &'static str, error: &opendal::Error) -> StoreError {
        match fault::of(step, &self.url, &self.store, error) {
            // The upload itself, or the bucket: an image that is written is never "not found".
            StoreError::NotFound { .. } => fault::remote(step, &self.url, &fault::words(error)),
            other => other,
        }
    }

    fn over(&self) -> StoreError {
        fault::remote("written", &self.url, "the upload is over already")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn parts_are_enough_for_any_length_and_take_little_memory() {
        let known = |len| Parts::new(10 * MIB, 10, Some(len));
        assert_eq!(known(1), Parts { len: 10 * MIB, grow: false, at_once: 4 });
        assert_eq!(known(5 << 40).len, (5_u64 << 40).div_ceil(10_000));
        assert_eq!(known(5 << 40).at_once, 1);
        assert_eq!(Parts::new(5 * MIB, 1, Some(9)).at_once, 1);
        let unknown = Parts::new(10 * MIB, 10, None);
        assert_eq!((unknown.at_once, unknown.next(0), unknown.next(1499)), (2, Some(10 * MIB), Some(10 * MIB)));
        assert_eq!((unknown.next(1500), unknown.next(10_000)), (Some(20 * MIB), None));
        let all: u64 = (0..).map_while(|it| unknown.next(it)).sum();
        assert!(all > 3 << 39, "{all}");
    }
}
