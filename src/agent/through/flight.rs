//! One download for all who ask for an image meanwhile.
//!
//! ```text
//! the catalogue's stream ─┬─→ the image's hash
//!                         └─→ the draft's file, and its pieces ─→ everybody's own place in it
//! ```
//!
//! It goes as fast as it comes, whoever reads. The last byte is given to nobody before the hash of all is right, so
//! that nobody takes for whole what is not.

use super::{counts::Counts, original::block, shelf::Draft, wanted::Wanted};
use crate::base::{
    batch::{Batch, Batcher},
    chain,
    digest::{DigestError, Digests},
    pieces::{PieceHasher, Pieces},
    sparse::{Cache, FlushBehind},
};
use crate::remote::{Passing, RemoteError};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
    task::spawn_blocking,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// A download that callers may read along with.
#[derive(Debug)]
pub(super) struct Flight {
    size: u64,
    file: Arc<File>,
    progress: watch::Sender<Progress>,
}

#[derive(Clone, Debug, Default)]
struct Progress {
    /// Bytes that may be read.
    ready: u64,
    /// Why there will be no more.
    failed: Option<Arc<str>>,
}

/// What a download runs with.
pub(super) struct Run {
    pub(super) body: Passing<RemoteError>,
    pub(super) draft: Draft,
    pub(super) wanted: Wanted,
    /// Longest silence.
    pub(super) patience: Duration,
    pub(super) cancel: CancellationToken,
    pub(super) counts: Arc<Counts>,
}

/// A download came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the catalogue's stream broke off after {got} bytes")]
    Stream { got: u64, source: RemoteError },
    #[error("nothing has come for {} s, after {got} bytes", patience.as_secs())]
    Silent { got: u64, patience: Duration },
    #[error("{got} bytes came, and the image has {expected}")]
    Length { got: u64, expected: u64 },
    #[error("the {algorithm} of what came is {got}, and the image's is {expected}")]
    Hash { algorithm: String, got: String, expected: String },
    #[error(transparent)]
    Digest(DigestError),
    #[error("cannot write it to the disk")]
    Write(#[source] io::Error),
    #[error("nobody reads it any more")]
    Abandoned,
    #[error("the agent is stopping")]
    Stopped,
}

/// Batches (1 MiB each) that may wait to be written.
const WAITING: usize = 8;
/// A pause in the stream, after which what has come goes to those who read.
const LULL: Duration = Duration::from_millis(5);
/// Bytes that a reader is given at a time.
const BLOCK: u64 = 1 << 20;
/// A download that nobody reads goes on for this long: a caller that was cut off may ask again.
const ABANDONED: Duration = Duration::from_secs(30);

// === impl Flight ===

impl Flight {
    pub(super) fn new(draft: &Draft, size: u64) -> Self {
        Self { size, file: draft.file(), progress: watch::Sender::new(Progress::default()) }
    }

    /// Bytes that have come, all of them, and how many callers read along.
    pub(super) fn so_far(&self) -> (u64, u64, u64) {
        (self.progress.borrow().ready, self.size, self.progress.receiver_count() as u64)
    }

    /// Whether there will be no more bytes than have come.
    pub(super) fn has_failed(&self) -> bool {
        self.progress.borrow().failed.is_some()
    }

    /// All bytes from the first one on, as they come.
    pub(super) fn read(self: &Arc<Self>) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + use<> {
        let mut progress = self.progress.subscribe();
        let (file, size) = (self.file.clone(), self.size);
        // With the stream ends the reading; a download without readers ends.
        async_stream::try_stream! {
            let mut at = 0;
            while at < size {
                let now = progress.wait_for(|it| it.ready > at || it.failed.is_some()).await.map(|it| it.clone());
                let now = now.map_err(|_| ended("it was dropped"))?;
                if let Some(why) = now.failed.filter(|_| now.ready <= at) {
                    Err(ended(&why))?;
                }
                while at < now.ready {
                    let (file, len) = (file.clone(), (now.ready - at).min(BLOCK));
                    let bytes = spawn_blocking(move || block(&file, at, len)).await.map_err(io::Error::other)??;
                    at += len;
                    yield bytes;
                }
            }
        }
    }

    /// Works until all is there and kept, or nothing more comes. Everybody who reads along hears of a failure.
    pub(super) async fn run(&self, run: Run) -> Result<(), Failure> {
        let Run { body, draft, wanted, patience, cancel, counts } = run;
        let draft = Arc::new(draft);
        let pulled = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Failure::Stopped),
            pulled = self.verified(body, &draft, &wanted, (patience, &counts)) => pulled,
        };
        let done = match pulled {
            Ok(pieces) => {
                self.progress.send_modify(|it| it.ready = self.size);
                keep(draft, pieces, wanted).await;
                Ok(())
            }
            Err(error) => {
                // Its file goes, which may take a while.
                let _ = spawn_blocking(move || drop(draft)).await;
                Err(error)
            }
        };
        if let Err(error) = &done {
            let why: Arc<str> = chain(error).to_string().into();
            self.progress.send_modify(|it| it.failed = Some(why));
        }
        done
    }

    /// Brings all bytes to the draft's file; they have the image's hash.
    async fn verified(
        &self,
        body: Passing<RemoteError>,
        draft: &Arc<Draft>,
        wanted: &Wanted,
        terms: (Duration, &Counts),
    ) -> Result<Pieces, Failure> {
        let mut digests = Digests::new(&[wanted.hash.0]);
        let (batches, waiting) = mpsc::channel(WAITING);
        let writing = {
            let (file, progress, draft) = (self.file.clone(), self.progress.clone(), draft.clone());
            spawn_blocking(move || write(&file, waiting, &progress, &draft))
        };
        let pulled = self.pull(body, &mut digests, &batches, terms).await;
        drop(batches);
        let written = writing.await.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()));
        let pieces = written.map_err(Failure::Write)?;
        pulled?;
        let sums = digests.finish().await.map_err(Failure::Digest)?;
        let got = sums.into_iter().next().map(|(_, hex)| hex).unwrap_or_default();
        if got == wanted.hash.1 {
            return Ok(pieces);
        }
        Err(Failure::Hash { algorithm: wanted.hash.0.to_string(), got, expected: wanted.hash.1.clone() })
    }

    async fn pull(
        &self,
        mut body: Passing<RemoteError>,
        digests: &mut Digests,
        batches: &mpsc::Sender<Batch>,
        (patience, counts): (Duration, &Counts),
    ) -> Result<(), Failure> {
        let (mut got, mut batcher) = (0, Batcher::default());
        let mut alone: Option<Instant> = None;
        loop {
            let next = match timeout(LULL, body.next()).await {
                Ok(next) => next,
                Err(_) => {
                    // What has come is not kept back while nothing more does.
                    if let Some(batch) = batcher.take()
                        && !pass(batch, digests, batches).await
                    {
                        return Ok(());
                    }
                    timeout(patience, body.next()).await.map_err(|_| Failure::Silent { got, patience })?
                }
            };
            let piece = match next {
                None => break,
                Some(Err(source)) => return Err(Failure::Stream { got, source }),
                Some(Ok(piece)) => piece,
            };
            got += piece.len() as u64;
            counts.fetch(piece.len() as u64);
            if got > self.size {
                return Err(Failure::Length { got, expected: self.size });
            }
            if self.progress.receiver_count() > 0 {
                alone = None;
            } else if alone.get_or_insert_with(Instant::now).elapsed() > ABANDONED {
                return Err(Failure::Abandoned);
            }
            if let Some(batch) = batcher.push(piece)
                && !pass(batch, digests, batches).await
            {
                // Writing has failed, and says why.
                return Ok(());
            }
        }
        if got < self.size {
            return Err(Failure::Length { got, expected: self.size });
        }
        if let Some(last) = batcher.take() {
            pass(last, digests, batches).await;
        }
        Ok(())
    }
}

/// Whoever reads has all of it, verified; when it cannot be kept, the next one downloads it again.
async fn keep(draft: Arc<Draft>, pieces: Pieces, wanted: Wanted) {
    let step = move || {
        let draft = Arc::into_inner(draft).ok_or_else(|| io::Error::other("the download is still in use"))?;
        draft.keep(pieces, &wanted.hash)
    };
    let kept = spawn_blocking(step).await.unwrap_or_else(|died| Err(io::Error::other(died)));
    if let Err(error) = kept {
        tracing::warn!(error = %chain(&error), "an image that was read through cannot be kept");
    }
}

async fn pass(batch: Batch, digests: &mut Digests, batches: &mpsc::Sender<Batch>) -> bool {
    let batch = batch.placed().await;
    digests.update_batch(batch.clone()).await;
    batches.send(batch).await.is_ok()
}

/// Writes what comes, and lets all but the last byte be read.
fn write(
    file: &File,
    mut waiting: mpsc::Receiver<Batch>,
    progress: &watch::Sender<Progress>,
    draft: &Draft,
) -> io::Result<Pieces> {
    let (mut at, mut hasher) = (0, PieceHasher::default());
    let mut flush = FlushBehind::new(0, Cache::Keep);
    while let Some(batch) = waiting.blocking_recv() {
        for piece in batch.pieces() {
            file.write_all_at(piece, at)?;
            hasher.update(piece);
            at += piece.len() as u64;
        }
        draft.landed(batch.len() as u64);
        flush.written(file, at);
        progress.send_modify(|it| it.ready = at - 1);
    }
    Ok(hasher.finish())
}

fn ended(why: &str) -> io::Error {
    io::Error::other(format!("the download ended early: {why}"))
}
