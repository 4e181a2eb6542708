//! The ledger of room: what each fetch in work may still write at most, taken before its first byte.
//!
//! ```text
//! own bytes + promises  ≤ cache_max_size        free bytes − promises ≥ cache_min_free
//! ```
//!
//! Bytes that land leave the promise and are seen on the disk from then on. Whoever looks at the disk takes a [`Mark`]
//! first: what lands after it counts as if the look had missed it, so that nothing is ever counted by nobody. A promise
//! ends with its fetch, however that ends; after a restart nothing is promised, and the disk tells the rest.

use crate::base::byte_size::ByteSize;
use crate::image::ImageId;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What all fetches in work may still write; clones are the same ledger.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    accounts: Arc<Mutex<Accounts>>,
}

#[derive(Debug, Default)]
struct Accounts {
    shares: BTreeMap<u64, Share>,
    next: u64,
    /// Bytes that have ever landed.
    landed: u64,
}

#[derive(Clone, Debug)]
struct Share {
    id: ImageId,
    left: u64,
}

/// One fetch's promise; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    ledger: Ledger,
    key: u64,
}

/// How much had landed before the disk was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u64);

/// What was seen on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The base directory.
    pub path: PathBuf,
    /// Blocks that its files take, bytes.
    pub own: u64,
    /// Free on its file system, bytes.
    pub free: u64,
    /// Promised by agents of other hosts on the same directory, bytes.
    pub elsewhere: u64,
    /// Taken before the look.
    pub mark: Mark,
}

/// What must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// `cache_max_size`, bytes; none for no limit.
    pub max_size: Option<u64>,
    /// `cache_min_free`, bytes.
    pub min_free: u64,
}

/// There is too little room.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// The cache would pass its limit.
    #[error(
        "no room in {}: it takes {}, the cache may have {} (cache_max_size), its files take {}, and {} are promised to other fetches: prune, or raise the limit",
        path.display(), ByteSize(*need), ByteSize(*max), ByteSize(*own), ByteSize(*promised)
    )]
    Limit {
        /// The base directory.
        path: PathBuf,
        /// Bytes that it takes.
        need: u64,
        /// Bytes that the cache may have.
        max: u64,
        /// Bytes that it has.
        own: u64,
        /// Bytes that others will write.
        promised: u64,
    },
    /// The file system would have too little left.
    #[error(
        "no room in {}: it takes {}, and {} are free, of which {} are promised to other fetches and {} stay free (cache_min_free): prune, or make room",
        path.display(), ByteSize(*need), ByteSize(*free), ByteSize(*promised), ByteSize(*min_free)
    )]
    Disk {
        /// The base directory.
        path: PathBuf,
        /// Bytes that it takes.
        need: u64,
        /// Bytes that are free.
        free: u64,
        /// Bytes that others will write.
        promised: u64,
        /// Bytes that must stay free.
        min_free: u64,
    },
}

/// What must go before something fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Bytes, as far as that is known.
    pub bytes: u64,
    /// Whether any bytes of the file system will do, or only the cache's own.
    pub on_disk: bool,
}

// === impl NoRoom ===

impl NoRoom {
    /// Bytes that must go before it fits, and whose.
    pub fn lacks(&self) -> Missing {
        Missing { bytes: self.missing(), on_disk: matches!(self, Self::Disk { .. }) }
    }

    /// Bytes that must go before it fits.
    pub fn missing(&self) -> u64 {
        match self {
            Self::Limit { need, max, own, promised, .. } => {
                need.saturating_add(*own).saturating_add(*promised).saturating_sub(*max)
            }
            Self::Disk { need, free, promised, min_free, .. } => {
                need.saturating_add(*promised).saturating_add(*min_free).saturating_sub(*free)
            }
        }
    }

    /// Whether it fits not even into an empty cache: somebody has to raise the limit.
    pub fn is_for_good(&self) -> bool {
        matches!(self, Self::Limit { need, max, .. } if need > max)
    }
}

// === impl Mark ===

impl Mark {
    /// Bytes that had ever landed.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

// === impl Ledger ===

impl Ledger {
    /// To be taken before the disk is looked at.
    pub fn mark(&self) -> Mark {
        Mark(self.lock().landed)
    }

    /// Promises `need` bytes to the fetch of `id`.
    ///
    /// # Errors
    /// [`NoRoom`] with all figures.
    pub fn reserve(&self, id: &ImageId, need: u64, seen: Seen, bounds: Bounds) -> Result<Reservation, NoRoom> {
        let mut accounts = self.lock();
        accounts.check(need, None, seen, bounds)?;
        let key = accounts.next;
        accounts.next += 1;
        accounts.shares.insert(key, Share { id: id.clone(), left: need });
        Ok(Reservation { ledger: self.clone(), key })
    }

    /// What all may still write, bytes.
    pub fn promised(&self) -> u64 {
        self.lock().promised(None)
    }

    /// What each fetch may still write, in the order in which they began.
    pub fn shares(&self) -> Vec<(ImageId, u64)> {
        self.lock().shares.values().map(|it| (it.id.clone(), it.left)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Accounts ===

impl Accounts {
    fn promised(&self, but: Option<u64>) -> u64 {
        let others = self.shares.iter().filter(|(key, _)| Some(**key) != but);
        others.fold(0_u64, |sum, (_, it)| sum.saturating_add(it.left))
    }

    fn check(&self, need: u64, but: Option<u64>, seen: Seen, bounds: Bounds) -> Result<(), NoRoom> {
        let promised = self.promised(but).saturating_add(seen.elsewhere);
        // Perhaps the look has seen it, perhaps not.
        let since = self.landed.saturating_sub(seen.mark.0);
        let (own, free) = (seen.own.saturating_add(since), seen.free.saturating_sub(since));
        let all = need.saturating_add(promised);
        if let Some(max) = bounds.max_size.filter(|max| own.saturating_add(all) > *max) {
            return Err(NoRoom::Limit { path: seen.path, need, max, own, promised });
        }
        if all.saturating_add(bounds.min_free) > free {
            return Err(NoRoom::Disk { path: seen.path, need, free, promised, min_free: bounds.min_free });
        }
        Ok(())
    }
}

// === impl Reservation ===

impl Reservation {
    /// `bytes` of it are on disk now.
    pub fn landed(&self, bytes: u64) {
        let mut accounts = self.ledger.lock();
        accounts.landed = accounts.landed.saturating_add(bytes);
        if let Some(share) = accounts.shares.get_mut(&self.key) {
            share.left = share.left.saturating_sub(bytes);
        }
    }

    /// From now on it may write `left` bytes: more is known than before. Less always fits.
    ///
    /// # Errors
    /// [`NoRoom`] when it is more than there is room for; the promise stays as it was.
    pub fn resize(&self, left: u64, seen: Seen, bounds: Bounds) -> Result<(), NoRoom> {
        let mut accounts = self.ledger.lock();
        if left > accounts.shares.get(&self.key).map_or(0, |it| it.left) {
            accounts.check(left, Some(self.key), seen, bounds)?;
        }
        if let Some(share) = accounts.shares.get_mut(&self.key) {
            share.left = left;
        }
        Ok(())
    }

    /// What it may still write, bytes.
    pub fn left(&self) -> u64 {
        self.ledger.lock().shares.get(&self.key).map_or(0, |it| it.left)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.ledger.lock().shares.remove(&self.key);
    }
}
