//! Room on disk that fetches in work have been promised.

use crate::base::byte_size::ByteSize;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// What all fetches in work may still write.
#[derive(Clone, Debug, Default)]
pub struct Reservations {
    promised: Arc<AtomicU64>,
}

/// One fetch's share; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    promised: Arc<AtomicU64>,
    left: u64,
}

/// There is too little room.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no room in {}: it takes {}, and {} are free, of which {} are promised to other fetches and {} stay free (cache_min_free): prune, or make room",
    path.display(), ByteSize(*need), ByteSize(*free), ByteSize(*promised), ByteSize(*min_free)
)]
pub struct NoRoom {
    /// The base directory.
    pub path: PathBuf,
    /// Bytes that it takes.
    pub need: u64,
    /// Bytes that are free.
    pub free: u64,
    /// Bytes that others will write.
    pub promised: u64,
    /// Bytes that must stay free.
    pub min_free: u64,
}

// === impl Reservations ===

impl Reservations {
    /// Promises `need` bytes at `path`, where `free` are free now and `min_free` must stay so.
    ///
    /// # Errors
    /// [`NoRoom`] with all figures.
    pub fn reserve(&self, path: PathBuf, need: u64, free: u64, min_free: u64) -> Result<Reservation, NoRoom> {
        let take = |promised: u64| {
            let wanted = promised.saturating_add(need).saturating_add(min_free);
            (wanted <= free).then_some(promised + need)
        };
        match self.promised.fetch_update(Ordering::AcqRel, Ordering::Acquire, take) {
            Ok(_) => Ok(Reservation { promised: self.promised.clone(), left: need }),
            Err(promised) => Err(NoRoom { path, need, free, promised, min_free }),
        }
    }
}

// === impl Reservation ===

impl Reservation {
    /// `bytes` of it are on disk now: they count as taken there.
    pub fn written(&mut self, bytes: u64) {
        let bytes = bytes.min(self.left);
        self.left -= bytes;
        self.promised.fetch_sub(bytes, Ordering::AcqRel);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.promised.fetch_sub(self.left, Ordering::AcqRel);
    }
}
