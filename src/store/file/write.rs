//! Writing: a thread of its own for each upload, then fsync, then the name.

use crate::base::{
    Batch, SparseWriter,
    sparse::{Cache, FlushBehind},
};
use crate::image::ImageId;
use crate::store::{
    StagedData, StoreError, Writing,
    file::{Folder, aside::Aside, blocking},
};
use futures_util::{FutureExt, future::BoxFuture};
use std::{fs, io, path::PathBuf, sync::Arc, thread};
use tokio::sync::{mpsc, oneshot};

/// Batches (1 MiB each) that may wait for the disk.
const QUEUE: usize = 8;

/// Where the data is going.
#[derive(Clone)]
struct Target {
    folder: Arc<Folder>,
    path: PathBuf,
    url: String,
}

struct FileWriting {
    /// None once it has failed.
    queue: Option<mpsc::Sender<Step>>,
    outcome: oneshot::Receiver<Result<Aside, StoreError>>,
    target: Target,
}

enum Step {
    Write(Batch),
    /// Without it, the end of the queue means that the upload was given up.
    Finish,
}

struct FileStaged {
    aside: Aside,
    target: Target,
}

/// Takes a published file back unless it is told that somebody knows of it.
struct Published {
    path: Option<PathBuf>,
}

pub(super) async fn begin(
    folder: Arc<Folder>,
    id: &ImageId,
    expected: Option<u64>,
) -> Result<Box<dyn Writing>, StoreError> {
    let target = Target { path: folder.path.join(id.as_str()), url: folder.url(id.as_str()), folder };
    let name = id.as_str().to_owned();
    let to = target.clone();
    let aside = blocking(move || {
        let folder = &to.folder;
        // Said now, before the client has sent it all; the publishing finds out for sure.
        if to.path.symlink_metadata().is_ok() {
            return Err(StoreError::Duplicate { url: to.url });
        }
        let free = folder.room().map(|it| it.free).unwrap_or(u64::MAX);
        if !folder.sparse && expected.is_some_and(|it| it > free) {
            return Err(folder.full(expected));
        }
        Aside::create(&folder.unfinished, &name, folder.mode)
            .map_err(|e| folder.failed("making a file in", &folder.unfinished, &to.url, e))
    })
    .await?;
    let (queue, steps) = mpsc::channel(QUEUE);
    let (sender, outcome) = oneshot::channel();
    let to = target.clone();
    let run = move || {
        if let Some(outcome) = write_all(aside, steps, &to) {
            // If nobody waits any more, the aside file goes with its guard.
            let _ = sender.send(outcome);
        }
    };
    thread::Builder::new()
        .name("store-write".to_owned())
        .spawn(run)
        .map_err(|e| target.folder.failed("starting a thread to write to", &target.folder.path, &target.url, e))?;
    Ok(Box::new(FileWriting { queue: Some(queue), outcome, target }))
}

/// The thread's work; none when the upload was given up.
fn write_all(aside: Aside, mut steps: mpsc::Receiver<Step>, to: &Target) -> Option<Result<Aside, StoreError>> {
    let folder = &to.folder;
    let failed = |e| folder.failed("writing to", &folder.path, &to.url, e);
    let mut sparse = if folder.sparse {
        let writer = aside.file().try_clone().and_then(|it| SparseWriter::new(it, Cache::Keep));
        match writer.map_err(failed) {
            Ok(it) => Some(it),
            Err(e) => return Some(Err(e)),
        }
    } else {
        None
    };
    let (mut at, mut flush) = (0, FlushBehind::new(0, Cache::Keep));
    loop {
        let written = match steps.blocking_recv()? {
            Step::Write(batch) => match &mut sparse {
                Some(writer) => writer.write_pieces(batch.pieces()),
                None => batch.write_to(aside.file()).map(|()| {
                    at += batch.len() as u64;
                    flush.written(aside.file(), at);
                }),
            },
            Step::Finish => break,
        };
        if let Err(e) = written {
            return Some(Err(failed(e)));
        }
    }
    let finished = sparse.map_or(Ok(()), |it| it.finish().map(drop));
    let safe = finished.and_then(|()| aside.file().sync_all());
    Some(safe.map(|()| aside).map_err(failed))
}

// === impl FileWriting ===

impl FileWriting {
    /// Why the thread is gone.
    async fn failure(&mut self) -> StoreError {
        self.queue = None;
        match (&mut self.outcome).await {
            Ok(Err(e)) => e,
            Ok(Ok(_)) | Err(_) => self.target.thread_gone(),
        }
    }
}

impl Writing for FileWriting {
    fn write(&mut self, batch: Batch) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            let Some(queue) = &self.queue else { return Err(self.target.thread_gone()) };
            if queue.send(Step::Write(batch)).await.is_ok() { Ok(()) } else { Err(self.failure().await) }
        }
        .boxed()
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<Box<dyn StagedData>, StoreError>> {
        async move {
            if let Some(queue) = self.queue.take() {
                // If the thread is gone, its outcome says why.
                let _ = queue.send(Step::Finish).await;
            }
            match (&mut self.outcome).await {
                Ok(Ok(aside)) => Ok(Box::new(FileStaged { aside, target: self.target }) as Box<dyn StagedData>),
                Ok(Err(e)) => Err(e),
                Err(_) => Err(self.target.thread_gone()),
            }
        }
        .boxed()
    }
}

// === impl FileStaged ===

impl StagedData for FileStaged {
    fn url(&self) -> &str {
        &self.target.url
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        async move {
            let Self { aside, target } = *self;
            let mut published = blocking(move || {
                let Target { folder, path, url } = target;
                aside.publish(&path).map_err(|e| folder.failed("publishing", &path, &url, e))?;
                // Comes back to us, or is dropped with a future that nobody waits for any more.
                Ok(Published { path: Some(path) })
            })
            .await?;
            published.path = None;
            Ok(())
        }
        .boxed()
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            tracing::info!(path = %path.display(), "an upload was given up while it was published; it is removed");
            if let Err(e) = fs::remove_file(path) {
                tracing::warn!(path = %path.display(), error = %e, "it could not be removed");
            }
        }
    }
}

// === impl Target ===

impl Target {
    fn thread_gone(&self) -> StoreError {
        let source = io::Error::other("the writing thread ended early");
        StoreError::Io { step: "writing to", path: self.folder.path.clone(), source }
    }
}
