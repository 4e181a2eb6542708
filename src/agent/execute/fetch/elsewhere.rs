//! Room that agents of other hosts have promised, where several share one base directory.
//!
//! ```text
//! room.lock ─→ what the others have promised ─→ the ledger ─→ our entry says so ─→ unlock
//! ```

use super::FetchError;
use crate::agent::{
    plan::fetch::{Ledger, Seen},
    seat::Seat,
};
use crate::base::ofd_lock::OfdLock;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Nobody else promises room while this is there.
#[derive(Debug)]
pub(super) struct Elsewhere {
    seat: Arc<Seat>,
    /// None when no other agent is there.
    promised: Option<u64>,
    _lock: Option<OfdLock>,
}

/// Promises are made in milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

// === impl Elsewhere ===

impl Elsewhere {
    /// Waits for the lock, and looks what the others have promised.
    pub(super) async fn look(seat: &Arc<Seat>) -> Result<Self, FetchError> {
        let at = Arc::clone(seat);
        if seat.alone().is_some() {
            return Ok(Self { seat: at, promised: None, _lock: None });
        }
        let folder = seat.folder();
        let locked = OfdLock::lock(&folder.room_lock(), folder.owner(), PATIENCE, &CancellationToken::new()).await;
        let look = Arc::clone(seat);
        let promised = tokio::task::spawn_blocking(move || look.promised_elsewhere()).await.unwrap_or(Some(0));
        match locked {
            Ok(lock) => Ok(Self { seat: at, promised, _lock: Some(lock) }),
            Err(error) if promised.is_some() => Err(FetchError::Lock(error)),
            Err(_) => Ok(Self { seat: at, promised, _lock: None }),
        }
    }

    /// What was seen on the disk, with what was promised.
    pub(super) fn over(&self, seen: Seen) -> Seen {
        Seen { elsewhere: self.promised.unwrap_or(0), ..seen }
    }

    /// Tells the others what the ledger holds now. If they cannot be told, there is no promise.
    pub(super) async fn tell(self, ledger: &Ledger) -> Result<(), FetchError> {
        if self.seat.alone().is_some() {
            return Ok(());
        }
        let (ledger, seat) = (ledger.clone(), Arc::clone(&self.seat));
        let told = tokio::task::spawn_blocking(move || seat.beat(|entry| entry.promised = ledger.promised())).await;
        match told.unwrap_or_else(|died| Err(std::io::Error::other(died))) {
            Err(source) if self.promised.is_some() => {
                Err(FetchError::Told { path: self.seat.folder().path().to_owned(), source })
            }
            _ => Ok(()),
        }
    }
}
