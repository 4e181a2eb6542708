//! How bytes land on the disk: what was promised becomes what is there, and a disk that is full is waited for.

use super::{
    error::is_full,
    fetcher::{Limits, Work},
};
use crate::agent::{
    execute::{gate::Gate, progress::Place},
    plan::fetch::Reservation,
};
use crate::base::io_class::IdleIo;
use std::{
    io,
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// For the thread that writes.
pub(super) struct Landing {
    room: Arc<Reservation>,
    place: Arc<Place>,
    gate: Gate,
    cancel: CancellationToken,
    hold_full: Duration,
    idle_io: bool,
}

/// How often a full disk is tried again.
const AGAIN: Duration = Duration::from_millis(250);

// === impl Landing ===

impl Landing {
    pub(super) fn new(work: &Work<'_>, limits: &Limits) -> Self {
        Self {
            room: work.room.clone(),
            place: work.place.clone(),
            gate: work.gate.clone(),
            cancel: work.cancel.clone(),
            hold_full: limits.hold_full,
            idle_io: limits.idle_io,
        }
    }

    /// The writing thread gives way to others, unless somebody waits for this image.
    pub(super) fn idle(&self) -> IdleIo {
        IdleIo::enter(self.idle_io && self.gate.gives_way())
    }

    /// Writes `bytes` by `write`, which may be called again. Somebody else may fill the disk at any time: then it waits
    /// for room, up to `hold_full`, and loses nothing.
    pub(super) fn put(&self, bytes: u64, mut write: impl FnMut() -> io::Result<()>) -> io::Result<()> {
        let mut full_since = None;
        loop {
            match write() {
                Ok(()) => {
                    self.room.landed(bytes);
                    return Ok(());
                }
                Err(error) if is_full(&error) => {
                    let since = *full_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= self.hold_full || self.cancel.is_cancelled() {
                        return Err(error);
                    }
                    self.place.held(format!("the disk is full: {error}"));
                }
                Err(error) => return Err(error),
            }
            sleep(AGAIN);
        }
    }
}
