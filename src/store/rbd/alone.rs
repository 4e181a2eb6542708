//! One writer at a time gives an image its name.
//!
//! Ceph's renaming looks whether there is an image of the new name, and writes that name afterwards: of several writers at
//! the same moment all are told that it is theirs, and the last one has it. A lock comes before it, on the pool's
//! directory of images, which a dead writer holds for a while only.

use super::ceph::{CephError, Pool};
use nix::errno::Errno;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The object that the lock is on: it is in each pool with an image.
const DIRECTORY: &str = "rbd_directory";

/// For how long a lock is held at the most: far longer than a renaming takes.
const HELD: Duration = Duration::from_secs(120);

/// For how long another holder is waited for.
const WAIT: Duration = Duration::from_secs(150);
const PAUSE: Duration = Duration::from_millis(50);

/// The lock, for as long as this is kept.
pub(super) struct Alone {
    pool: Arc<Pool>,
    name: String,
    cookie: String,
}

// === impl Alone ===

impl Alone {
    /// Waits for it, and grows the counter meanwhile. `cookie` is like no other writer's. Blocks.
    ///
    /// # Errors
    /// EBUSY: another writer had it for too long; and those of the cluster.
    pub(super) fn take(pool: &Arc<Pool>, image: &str, cookie: &str, beat: &AtomicU64) -> Result<Self, CephError> {
        let (name, cookie) = (format!("larder.{image}"), cookie.to_owned());
        let begun = Instant::now();
        loop {
            match pool.lock(DIRECTORY, &name, &cookie, HELD) {
                Ok(()) => return Ok(Self { pool: Arc::clone(pool), name, cookie }),
                // It is ours, and the answer was lost.
                Err(error) if error.is(Errno::EEXIST) => return Ok(Self { pool: Arc::clone(pool), name, cookie }),
                Err(error) if error.is(Errno::EBUSY) && begun.elapsed() < WAIT => {
                    beat.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        match self.pool.unlock(DIRECTORY, &self.name, &self.cookie) {
            Ok(()) => {}
            Err(error) if error.is(Errno::ENOENT) => {}
            Err(error) => tracing::debug!(lock = self.name, %error, "a lock in Ceph ends by itself"),
        }
    }
}
