//! What comes out of a decoder.

use super::{DecompressError, Decompression};
use crate::catalogue::service::BoxError;
use bytes::Bytes;
use std::{
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::mpsc;

/// Bytes of a piece.
const PIECE: usize = 256 * 1024;

/// Where it goes, and how much may.
pub(super) struct Output {
    pieces: mpsc::Sender<Result<Bytes, BoxError>>,
    limits: Decompression,
    taken: Arc<AtomicU64>,
    came: u64,
}

/// Why a decoder ends early.
pub(super) enum Ended {
    /// Nobody wants it any more.
    Unwanted,
    /// It is too much.
    Ratio(DecompressError),
    /// It cannot be read.
    Broken(io::Error),
}

// === impl Output ===

impl Output {
    pub(super) fn new(
        pieces: mpsc::Sender<Result<Bytes, BoxError>>,
        limits: Decompression,
        taken: Arc<AtomicU64>,
    ) -> Self {
        Self { pieces, limits, taken, came: 0 }
    }

    /// Bytes that went in.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Passes everything on that the decoder gives; each piece is seen by `look` first.
    pub(super) fn pump(&mut self, decoder: &mut impl Read, mut look: impl FnMut(&[u8])) -> Result<(), Ended> {
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            let read = decoder.by_ref().take(PIECE as u64).read_to_end(&mut piece);
            read.map_err(Ended::Broken)?;
            if piece.is_empty() {
                return Ok(());
            }
            look(&piece);
            self.came += piece.len() as u64;
            self.check()?;
            self.pieces.blocking_send(Ok(piece.into())).map_err(|_| Ended::Unwanted)?;
        }
    }

    /// The last word.
    pub(super) fn fail(self, error: BoxError) {
        // If nobody listens any more, nobody needs it.
        let _ = self.pieces.blocking_send(Err(error));
    }

    fn check(&self) -> Result<(), Ended> {
        let (limit, got, came) = (self.limits.ratio_limit, self.taken(), self.came);
        if limit == 0 || came <= self.limits.ratio_free_size || came <= got.saturating_mul(limit) {
            return Ok(());
        }
        Err(Ended::Ratio(DecompressError::Ratio { got, came, limit }))
    }
}
