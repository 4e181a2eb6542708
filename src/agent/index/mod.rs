//! What the agent knows beside the directory: the queue, the pins, and which image each base is of.
//!
//! SQLite in WAL mode, synchronous: an answer means that the record survives a power cut. One thread owns the
//! connection. The directory is the truth: a lost or damaged index is rebuilt from it.

mod bases;
mod fleet;
mod open;
mod pins;
mod queue;
mod rules;
mod salvage;
#[cfg(test)]
mod tests;

pub use bases::{How, Known, Origin, Verified};
pub use fleet::{Fact, Taken};
pub use pins::MOST_PINS;
pub use queue::{LONGEST_QUEUE, Queued};

use rusqlite::Connection;
use std::{
    path::{Path, PathBuf},
    thread,
};
use tokio::sync::{mpsc, oneshot};

/// The index; clones share one writer thread, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct Index {
    jobs: mpsc::Sender<Job>,
}

/// A step on the index failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// Its folder cannot be made.
    #[error("cannot make the folder of the index, {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It cannot be opened, and not for being damaged.
    #[error("cannot open the index {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// It is damaged and cannot be renamed.
    #[error("the index {} is damaged and cannot be set aside", path.display())]
    SetAside {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is damaged, and the new one cannot be made or put in its place.
    #[error("the index {} is damaged, and a new one with its queue and pins cannot be made beside it", path.display())]
    Salvage {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A newer program made it.
    #[error(
        "the index {} has version {found}, this program knows up to {known}: run the newer larder, or move the file away",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest known.
        known: i64,
    },
    /// A statement failed.
    #[error("cannot {what} in the index")]
    Statement {
        /// What it was for.
        what: &'static str,
        /// Why.
        source: rusqlite::Error,
    },
    /// The writer thread has ended.
    #[error("the index is closed")]
    Closed,
}

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Statements that wait; senders wait beyond it.
const WAITING: usize = 64;

// === impl Index ===

impl Index {
    /// Opens or makes it; blocking. The texts say what had to be done, for the log and the status.
    ///
    /// # Errors
    /// [`IndexError`] when there can be none at this path.
    pub fn open(path: &Path) -> Result<(Self, Vec<String>), IndexError> {
        let (mut connection, notes) = open::open(path)?;
        let (jobs, mut waiting) = mpsc::channel::<Job>(WAITING);
        let work = move || {
            while let Some(job) = waiting.blocking_recv() {
                job(&mut connection);
            }
        };
        thread::Builder::new()
            .name("larder-index".to_owned())
            .spawn(work)
            .map_err(|source| IndexError::Folder { path: path.to_owned(), source })?;
        Ok((Self { jobs }, notes))
    }

    async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        step: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, IndexError> {
        let (answer, answered) = oneshot::channel();
        let job = move |connection: &mut Connection| {
            let _ = answer.send(step(connection));
        };
        self.jobs.send(Box::new(job)).await.map_err(|_| IndexError::Closed)?;
        let result = answered.await.map_err(|_| IndexError::Closed)?;
        result.map_err(|source| IndexError::Statement { what, source })
    }
}
