//! Where the bytes go: to the hashes and to the staging file, beside each other.
//!
//! ```text
//!        ┌─→ Digests: the image's hash, and that of its signature
//! bytes ─┼─→ pieces: BLAKE3, and each complete piece into the journal once it is written
//!        └─→ the staging file, with holes
//! ```

use super::{
    TransferError,
    error::is_full,
    landing::Landing,
    resume::Start,
    tracking::{Tracking, Written},
};
use crate::agent::{execute::staged::Staged, plan::fetch::Order};
use crate::base::{
    batch::{Batch, Batcher},
    digest::{Algorithm, Digests},
    pieces::{PIECE_BYTES, Pieces},
    space,
    sparse::{Cache, SparseWriter},
};
use bytes::Bytes;
use std::{fs::File, io, path::Path, sync::Arc};
use tokio::{sync::mpsc, task::JoinHandle};

/// Batches (1 MiB each) that may wait to be written.
const WAITING: usize = 8;

pub(super) struct Sink {
    batcher: Batcher,
    digests: Option<Digests>,
    pieces: Tracking,
    batches: mpsc::Sender<Batch>,
    writing: JoinHandle<io::Result<File>>,
    taken: u64,
}

// === impl Sink ===

impl Sink {
    pub(super) fn new(start: Start, order: &Order, cache: Cache, landing: Landing) -> Self {
        let Start { file, at, digests, hasher, journal } = start;
        let (batches, mut waiting) = mpsc::channel::<Batch>(WAITING);
        let written = Arc::new(Written::default());
        let journal = journal.and_then(|journal| Some((journal, file.try_clone().ok()?)));
        let pieces = Tracking::start(hasher, journal, written.clone(), order.size);
        let writing = tokio::task::spawn_blocking(move || {
            let _idle = landing.idle();
            let end = written.ends();
            let mut writer = SparseWriter::resume(file, at, cache)?;
            while let Some(batch) = waiting.blocking_recv() {
                for piece in batch.pieces() {
                    landing.put(piece.len() as u64, || writer.write(piece))?;
                }
                written.up_to(writer.position());
            }
            let file = writer.finish()?;
            end.well();
            Ok(file)
        });
        Self { batcher: Batcher::default(), digests, pieces, batches, writing, taken: at }
    }

    /// Bytes taken so far, those of an earlier try included.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Takes the next bytes; false when writing has failed, which [`Sink::finish`] tells more of.
    pub(super) async fn take(&mut self, bytes: Bytes) -> bool {
        self.taken += bytes.len() as u64;
        match self.batcher.push(bytes) {
            Some(batch) => self.send(batch).await,
            None => true,
        }
    }

    async fn send(&mut self, batch: Batch) -> bool {
        let batch = batch.placed().await;
        if let Some(digests) = &mut self.digests {
            digests.update_batch(batch.clone()).await;
        }
        self.pieces.update(batch.clone()).await;
        self.batches.send(batch).await.is_ok()
    }

    /// All is on the way to the disk; its hashes, those that were asked for, and its pieces.
    pub(super) async fn finish(
        mut self,
        staged: &Staged,
        order: &Order,
    ) -> Result<(Vec<(Algorithm, String)>, Pieces), TransferError> {
        if let Some(last) = self.batcher.take() {
            self.send(last).await;
        }
        drop(self.batches);
        let written = match self.writing.await {
            Ok(written) => written,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        let pieces = self.pieces.finish().await;
        written.map_err(|source| failed(source, staged.path(), order))?;
        let Some(digests) = self.digests else { return Ok((Vec::new(), pieces)) };
        let sums = digests.finish().await.map_err(TransferError::Digest)?;
        Ok((sums, pieces))
    }

    /// Ends all writers before the file is removed, or left to the next try; whether that would find a whole piece.
    pub(super) async fn abandon(self) -> bool {
        drop((self.batches, self.digests));
        let _ = self.writing.await;
        self.pieces.finish().await.size() >= PIECE_BYTES
    }
}

/// What an operator needs to know about a write that failed.
pub(super) fn failed(source: io::Error, path: &Path, order: &Order) -> TransferError {
    let path = path.to_owned();
    if is_full(&source) {
        let free = path.parent().and_then(|it| space::free(it).ok()).map_or(0, |it| it.free);
        return TransferError::Full { path, need: order.room_to_fetch + order.room_to_convert, free };
    }
    TransferError::Write { path, source }
}
