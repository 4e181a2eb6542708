//! Nova's lock while a base is being made, and the moment it appears.

use super::gate::Gate;
use crate::agent::base_dir::{BaseDir, LockError, NovaLock, PublishError, Published};
use crate::image::ImageId;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

/// Nova's lock of a base, held while it is made, so that spawns wait for it instead of fetching it again.
///
/// Nova waits without limit, so the hold has one: past it the lock is given back, and got again to publish. So it is
/// when the fetch stands still: no start of an instance waits for a disk that is full.
#[derive(Debug)]
pub(super) struct Hold {
    lock: Arc<Mutex<Option<NovaLock>>>,
    limit: JoinHandle<()>,
}

/// A fetch that stands still for so long gives the lock back.
const STANDSTILL: Duration = Duration::from_secs(10);

// === impl Hold ===

impl Hold {
    pub(super) fn new(lock: NovaLock, limit: Duration, gate: Gate) -> Self {
        let base = lock.base().to_owned();
        let lock = Arc::new(Mutex::new(Some(lock)));
        let held = lock.clone();
        let limit = tokio::spawn(async move {
            tokio::select! {
                () = sleep(limit) => {}
                () = gate.held_for(STANDSTILL) => {}
            }
            held.lock().unwrap_or_else(PoisonError::into_inner).take();
            tracing::warn!(base.file = %base, "gave nova its lock back before the base is ready");
        });
        Self { lock, limit }
    }

    /// The lock, unless its time is over.
    fn take(&self) -> Option<NovaLock> {
        self.limit.abort();
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.limit.abort();
    }
}

/// A verified file could not be made the base.
#[derive(Debug, thiserror::Error)]
pub enum AppearError {
    /// The lock had been given back, and nova has it now.
    #[error("nova holds the lock of the base")]
    Lock(#[source] LockError),
    /// The step itself.
    #[error("publishing the base failed")]
    Publish(#[source] PublishError),
}

/// Makes `staged` the base of `id`; nothing stops it once it has begun.
pub(super) async fn appear(
    dir: &Arc<BaseDir>,
    id: &ImageId,
    staged: PathBuf,
    hold: Hold,
    (wait, cancel): (Duration, &CancellationToken),
) -> Result<Published, AppearError> {
    let lock = match hold.take() {
        Some(lock) => lock,
        None => dir.lock(&id.base_name(), wait, cancel).await.map_err(AppearError::Lock)?,
    };
    let (dir, id) = (dir.clone(), id.clone());
    let step = tokio::task::spawn_blocking(move || {
        let published = dir.publish(&staged, &id, &lock);
        // Held to here: nova must not look between the rename and the sync.
        drop(lock);
        published
    });
    match step.await {
        Ok(published) => published.map_err(AppearError::Publish),
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
