//! A file, or a part of it, as a body.
//!
//! Blocks of 1 MiB are read on blocking threads, two ahead of the client. A thread is held for the time of a read only,
//! so a slow client costs memory (3 MiB), not a thread.

use axum::body::Body;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http_body::{Frame, SizeHint};
use std::{
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileExt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};
use tokio::task::spawn_blocking;

/// Bytes per read: large enough that the hand-over between threads costs little.
const BLOCK: usize = 1 << 20;

/// Blocks read ahead of the client.
const DEPTH: usize = 2;

/// `range` of `file` as a body of exactly that length.
///
/// When the file is shorter than the range, the connection is cut, so that the client cannot take a part for the whole.
pub fn from_file(file: File, range: Range<u64>) -> Body {
    let left = range.end.saturating_sub(range.start);
    if left == 0 {
        return Body::empty();
    }
    measured(blocks(file, range), left)
}

/// `pieces` as a body that has announced `length` bytes; fewer cut the connection.
pub fn measured<S, E>(pieces: S, length: u64) -> Body
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
{
    Body::new(Measured { pieces: Box::pin(pieces), left: length })
}

/// The blocks of `range` of `file`, in order.
pub fn blocks(file: File, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let source = Arc::new(Source { file, spare: Mutex::default() });
    let starts = (range.start..range.end).step_by(BLOCK);
    futures_util::stream::iter(starts)
        .map(move |at| {
            let (source, end) = (source.clone(), range.end);
            spawn_blocking(move || source.read(at, end))
        })
        .buffered(DEPTH)
        .map(|read| read.unwrap_or_else(|error| Err(io::Error::other(error))))
}

struct Source {
    file: File,
    /// Buffers that were sent, to be filled again: fresh memory for each block costs page faults.
    spare: Mutex<Vec<Vec<u8>>>,
}

/// A filled buffer; dropped, it goes back to its source.
struct Block {
    bytes: Vec<u8>,
    source: Arc<Source>,
}

struct Measured<E> {
    pieces: Pin<Box<dyn Stream<Item = Result<Bytes, E>> + Send>>,
    left: u64,
}

// === impl Source ===

impl Source {
    fn read(self: Arc<Self>, at: u64, end: u64) -> io::Result<Bytes> {
        let length = usize::try_from(end - at).unwrap_or(BLOCK).min(BLOCK);
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut bytes = spare.unwrap_or_default();
        bytes.resize(length, 0);
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(Bytes::from_owner(Block { bytes, source: self }))
    }
}

// === impl Block ===

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let mut spare = self.source.spare.lock().unwrap_or_else(PoisonError::into_inner);
        spare.push(std::mem::take(&mut self.bytes));
    }
}

// === impl Measured ===

impl<E> http_body::Body for Measured<E>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.pieces.as_mut().poll_next(cx).map(|piece| match piece? {
            Ok(bytes) => {
                self.left = self.left.saturating_sub(bytes.len() as u64);
                Some(Ok(Frame::data(bytes)))
            }
            Err(error) => Some(Err(error.into())),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
