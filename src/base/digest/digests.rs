//! Several hashes of one stream, beside each other.

use crate::base::{
    batch::{Batch, Batcher},
    digest::{Algorithm, Hasher},
};
use bytes::Bytes;
use std::thread;
use tokio::sync::{mpsc, oneshot};

/// Batches (1 MiB each) that may wait before a thread.
const QUEUE: usize = 4;

/// Hashes of one stream, each on a thread of its own, behind bounded queues.
///
/// Dropping it ends the threads: each stops at the end of its queue.
pub struct Digests {
    lanes: Vec<Lane>,
    batcher: Batcher,
}

/// A hash could not be computed: libcrypto or the thread failed. The bytes are not to be trusted then.
#[derive(Debug, thiserror::Error)]
#[error("computing the {0} of the data failed")]
pub struct DigestError(pub Algorithm);

struct Lane {
    algorithm: Algorithm,
    work: Work,
}

enum Work {
    Thread {
        queue: mpsc::Sender<Batch>,
        result: oneshot::Receiver<Option<String>>,
    },
    /// The system gave no thread: slower, but right.
    Here(Box<Hasher>),
}

// === impl Digests ===

impl Digests {
    /// Starts one thread for each of `algorithms` (given twice, computed once).
    pub fn new(algorithms: &[Algorithm]) -> Self {
        let mut once: Vec<Algorithm> = Vec::new();
        for algorithm in algorithms {
            if !once.contains(algorithm) {
                once.push(*algorithm);
            }
        }
        Self { lanes: once.into_iter().map(Lane::start).collect(), batcher: Batcher::default() }
    }

    /// Takes the next bytes; waits while the slowest hash is more than its queue behind.
    ///
    /// Cancellation: a dropped call may have given the bytes to some hashes only, so drop the `Digests` too then.
    pub async fn update(&mut self, bytes: Bytes) {
        if let Some(batch) = self.batcher.push(bytes) {
            self.send(batch).await;
        }
    }

    /// Takes a whole batch, after what [`Digests::update`] took before.
    pub async fn update_batch(&mut self, batch: Batch) {
        if let Some(earlier) = self.batcher.take() {
            self.send(earlier).await;
        }
        self.send(batch).await;
    }

    /// Each algorithm with its hash in lower-case hex, in the order of `new`.
    pub async fn finish(mut self) -> Result<Vec<(Algorithm, String)>, DigestError> {
        if let Some(last) = self.batcher.take() {
            self.send(last).await;
        }
        let mut sums = Vec::with_capacity(self.lanes.len());
        // All queues end before any result is waited for.
        let ends: Vec<_> = self.lanes.into_iter().map(|lane| (lane.algorithm, lane.work.end())).collect();
        for (algorithm, end) in ends {
            let hash = match end {
                End::Later(result) => result.await.ok().flatten(),
                End::Now(hash) => hash,
            };
            sums.push((algorithm, hash.ok_or(DigestError(algorithm))?));
        }
        Ok(sums)
    }

    async fn send(&mut self, batch: Batch) {
        for lane in &mut self.lanes {
            match &mut lane.work {
                // A thread that is gone is found at the end, when it gives no result.
                Work::Thread { queue, .. } => drop(queue.send(batch.clone()).await),
                Work::Here(hasher) => batch.pieces().iter().for_each(|it| hasher.update(it)),
            }
        }
    }
}

// === impl Lane ===

impl Lane {
    fn start(algorithm: Algorithm) -> Self {
        let (queue, mut batches) = mpsc::channel::<Batch>(QUEUE);
        let (sender, result) = oneshot::channel();
        let run = move || {
            let mut hasher = Hasher::new(algorithm);
            while let Some(batch) = batches.blocking_recv() {
                batch.pieces().iter().for_each(|it| hasher.update(it));
            }
            // Nobody may be waiting any more.
            let _ = sender.send(hasher.finish());
        };
        let work = match thread::Builder::new().name(algorithm.to_string()).spawn(run) {
            Ok(_) => Work::Thread { queue, result },
            Err(_) => Work::Here(Box::new(Hasher::new(algorithm))),
        };
        Self { algorithm, work }
    }
}

enum End {
    Later(oneshot::Receiver<Option<String>>),
    Now(Option<String>),
}

// === impl Work ===

impl Work {
    fn end(self) -> End {
        match self {
            Self::Thread { result, .. } => End::Later(result),
            Self::Here(hasher) => End::Now(hasher.finish()),
        }
    }
}
