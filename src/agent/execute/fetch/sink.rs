//! Where the bytes go: to the hash and to the staging file, beside each other.

use super::TransferError;
use crate::agent::{execute::staged::Staged, plan::fetch::Order};
use crate::base::{
    batch::{Batch, Batcher},
    digest::Digests,
    space,
    sparse::{Cache, SparseWriter},
};
use bytes::Bytes;
use std::{fs::File, io, path::Path};
use tokio::{sync::mpsc, task::JoinHandle};

/// Batches (1 MiB each) that may wait to be written.
const WAITING: usize = 8;

pub(super) struct Sink {
    batcher: Batcher,
    digests: Option<Digests>,
    batches: mpsc::Sender<Batch>,
    writing: JoinHandle<io::Result<File>>,
    taken: u64,
}

// === impl Sink ===

impl Sink {
    pub(super) fn new(file: File, order: &Order, cache: Cache) -> Self {
        let (batches, mut waiting) = mpsc::channel::<Batch>(WAITING);
        let writing = tokio::task::spawn_blocking(move || {
            let mut writer = SparseWriter::new(file, cache)?;
            while let Some(batch) = waiting.blocking_recv() {
                writer.write_pieces(batch.pieces())?;
            }
            writer.finish()
        });
        let digests = order.digest.as_ref().map(|(algorithm, _)| Digests::new(&[*algorithm]));
        Self { batcher: Batcher::default(), digests, batches, writing, taken: 0 }
    }

    /// Bytes taken so far.
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
        self.batches.send(batch).await.is_ok()
    }

    /// All is on the way to the disk; the hash of it, if one was asked for.
    pub(super) async fn finish(mut self, staged: &Staged, order: &Order) -> Result<Option<String>, TransferError> {
        if let Some(last) = self.batcher.take() {
            self.send(last).await;
        }
        drop(self.batches);
        let written = match self.writing.await {
            Ok(written) => written,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        written.map_err(|source| failed(source, staged.path(), order))?;
        let Some(digests) = self.digests else { return Ok(None) };
        let sums = digests.finish().await.map_err(TransferError::Digest)?;
        Ok(sums.into_iter().next().map(|(_, hex)| hex))
    }

    /// Ends the writer before the file is removed.
    pub(super) async fn abandon(self) {
        drop((self.batches, self.digests));
        let _ = self.writing.await;
    }
}

/// What an operator needs to know about a write that failed.
pub(super) fn failed(source: io::Error, path: &Path, order: &Order) -> TransferError {
    let path = path.to_owned();
    if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        let free = path.parent().and_then(|it| space::free(it).ok()).map_or(0, |it| it.free);
        return TransferError::Full { path, need: order.room_to_fetch + order.room_to_convert, free };
    }
    TransferError::Write { path, source }
}
