//! The pieces of a transfer, hashed on a thread of their own and noted as they reach the file.

use crate::base::{
    batch::Batch,
    pieces::{Chain, Journal, PIECE_BYTES, PieceHasher, Pieces},
};
use std::{
    fs::File,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};
use tokio::{sync::mpsc, task::JoinHandle};

/// Batches (1 MiB each) that may wait to be hashed.
const WAITING: usize = 8;

/// The pieces of one transfer.
pub(super) struct Tracking {
    batches: mpsc::Sender<Batch>,
    hashing: JoinHandle<Pieces>,
}

/// How far the file is written.
#[derive(Debug, Default)]
pub(super) struct Written {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    up_to: u64,
    failed: bool,
}

/// Tells those who wait when the writer ends early.
pub(super) struct Ends(Option<Arc<Written>>);

// === impl Written ===

impl Written {
    /// To be held by the writer.
    pub(super) fn ends(self: &Arc<Self>) -> Ends {
        Ends(Some(self.clone()))
    }

    pub(super) fn up_to(&self, bytes: u64) {
        self.set(|state| state.up_to = bytes);
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// Waits for so many bytes; false when they will not come.
    fn wait(&self, bytes: u64) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |state: &mut State| state.up_to < bytes && !state.failed;
        self.changed.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner).up_to >= bytes
    }
}

impl Ends {
    /// The writer ends with all bytes written.
    pub(super) fn well(mut self) {
        self.0 = None;
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        if let Some(written) = &self.0 {
            written.set(|state| state.failed = true);
        }
    }
}

// === impl Tracking ===

impl Tracking {
    /// Goes on where `hasher` is. The journal comes with the file that it is about.
    pub(super) fn start(
        hasher: PieceHasher,
        journal: Option<(Journal, File)>,
        written: Arc<Written>,
        size: Option<u64>,
    ) -> Self {
        let (batches, waiting) = mpsc::channel(WAITING);
        let hashing = tokio::task::spawn_blocking(move || {
            let noted = hasher.closed().len() + usize::from(hasher.open().is_some());
            let notes = journal.map(|(journal, file)| Notes::new(journal, file, written, noted));
            hash(hasher, waiting, notes, size)
        });
        Self { batches, hashing }
    }

    /// Takes the next bytes; waits while the hash is more than its queue behind.
    pub(super) async fn update(&self, batch: Batch) {
        // A thread that is gone is found at the end.
        let _ = self.batches.send(batch).await;
    }

    /// All that was taken; the journal is complete then.
    pub(super) async fn finish(self) -> Pieces {
        drop(self.batches);
        match self.hashing.await {
            Ok(pieces) => pieces,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
}

fn hash(
    mut hasher: PieceHasher,
    mut waiting: mpsc::Receiver<Batch>,
    mut notes: Option<Notes>,
    size: Option<u64>,
) -> Pieces {
    while let Some(batch) = waiting.blocking_recv() {
        batch.pieces().iter().for_each(|it| hasher.update(it));
        if let Some(notes) = &mut notes {
            notes.note(hasher.closed());
        }
    }
    let last = hasher.open().filter(|_| size == Some(hasher.taken()));
    if let Some((notes, last)) = notes.as_mut().zip(last) {
        let all: Vec<Chain> = hasher.closed().iter().copied().chain([last]).collect();
        notes.note_up_to(&all, hasher.taken());
    }
    hasher.finish()
}

/// The journal's keeper.
struct Notes {
    /// None after a failure.
    journal: Option<Journal>,
    written: Arc<Written>,
    noted: usize,
    sync: Option<SyncSender<()>>,
    syncing: Option<thread::JoinHandle<()>>,
}

// === impl Notes ===

impl Notes {
    fn new(journal: Journal, file: File, written: Arc<Written>, noted: usize) -> Self {
        let (sync, asked) = sync_channel(1);
        // Against a power cut. Beside the stream: a slow disk syncs several pieces at once.
        let syncing = journal.try_clone().and_then(|journal| {
            let work = move || sync_when_asked(&asked, &file, &journal);
            thread::Builder::new().name("larder-sync".to_owned()).spawn(work)
        });
        Self { journal: Some(journal), written, noted, sync: Some(sync), syncing: syncing.ok() }
    }

    fn note(&mut self, closed: &[Chain]) {
        self.note_up_to(closed, closed.len() as u64 * PIECE_BYTES);
    }

    /// Notes those that are new, once the file has `bytes`.
    fn note_up_to(&mut self, chains: &[Chain], bytes: u64) {
        let Some(new) = chains.get(self.noted..).filter(|it| !it.is_empty()) else { return };
        let Some(journal) = &mut self.journal else { return };
        if !self.written.wait(bytes) {
            return;
        }
        match new.iter().try_for_each(|it| journal.add(it)) {
            Ok(()) => {
                self.noted = chains.len();
                // One request that waits is enough for all.
                if let Some(sync) = &self.sync {
                    let _ = sync.try_send(());
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot note the pieces of a download: a crash would lose what comes from here on");
                self.journal = None;
            }
        }
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        self.sync = None;
        // The file is closed when the transfer ends.
        if let Some(syncing) = self.syncing.take() {
            let _ = syncing.join();
        }
    }
}

fn sync_when_asked(asked: &Receiver<()>, file: &File, journal: &Journal) {
    while asked.recv().is_ok() {
        if let Err(error) = file.sync_data().and_then(|()| journal.sync()) {
            tracing::debug!(%error, "cannot sync a download under way");
        }
    }
}
