//! What goes into a decoder.

use crate::catalogue::service::BoxError;
use bytes::{Buf, Bytes};
use std::{
    io::{self, BufRead, Read},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::mpsc;

/// The source, as decoders read it: blocking.
pub(super) struct Input {
    pieces: mpsc::Receiver<Result<Bytes, BoxError>>,
    piece: Bytes,
    taken: Arc<AtomicU64>,
    /// Why the source has no more.
    failure: Arc<Mutex<Option<BoxError>>>,
}

/// Where the source's own error is found, which no decoder must put into its words.
pub(super) struct Failure(Arc<Mutex<Option<BoxError>>>);

// === impl Input ===

impl Input {
    pub(super) fn new(pieces: mpsc::Receiver<Result<Bytes, BoxError>>) -> Self {
        Self { pieces, piece: Bytes::new(), taken: Arc::default(), failure: Arc::default() }
    }

    /// Bytes that were read.
    pub(super) fn count(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.taken)
    }

    pub(super) fn failure(&self) -> Failure {
        Failure(Arc::clone(&self.failure))
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let taken = available.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&available[..taken]);
        self.consume(taken);
        Ok(taken)
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                None => break,
                Some(Ok(piece)) => self.piece = piece,
                Some(Err(error)) => {
                    *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    return Err(io::Error::other("the data stopped coming"));
                }
            }
        }
        Ok(&self.piece)
    }

    fn consume(&mut self, amount: usize) {
        self.piece.advance(amount);
        self.taken.fetch_add(amount as u64, Ordering::Relaxed);
    }
}

// === impl Failure ===

impl Failure {
    pub(super) fn take(&self) -> Option<BoxError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
