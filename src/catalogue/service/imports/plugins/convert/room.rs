//! Room in the staging folder, promised to one conversion at a time.

use crate::base::ByteSize;
use crate::catalogue::service::imports::staging::Staged;
use crate::diskformat::{Format, Inspection, raw_bytes};
use fs2::available_space;
use std::{
    fs::File,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Bytes that conversions of this process will write.
#[derive(Debug, Default)]
pub(in crate::catalogue::service::imports) struct Reserved(Arc<AtomicU64>);

/// Bytes of one conversion, until it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    all: Arc<AtomicU64>,
    mine: u64,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.all.fetch_sub(self.mine, Ordering::Relaxed);
    }
}

impl Staged {
    /// Room for what is made of this file, as far as that can be told.
    ///
    /// # Errors
    /// There is too little, in words.
    pub(super) async fn reserve(&self, file: PathBuf, found: Inspection) -> Result<Room, String> {
        let (folder, all) = (self.folder.clone(), Arc::clone(&self.reserved.0));
        let count = move || {
            let mine = match found.format {
                Format::Qcow2 => File::open(file).and_then(|mut it| raw_bytes(&mut it)).ok().flatten(),
                _ => None,
            };
            // Of other formats it is not known how much of the disk is empty; the data that is there is the least.
            let mine = mine.unwrap_or_else(|| found.size.min(found.virtual_size.unwrap_or(u64::MAX)));
            let before = all.fetch_add(mine, Ordering::Relaxed);
            let room = Room { all, mine };
            let free = available_space(&folder).unwrap_or(u64::MAX).saturating_sub(super::KEEP_FREE);
            if before.saturating_add(mine) <= free {
                return Ok(room);
            }
            let left = ByteSize(free.saturating_sub(before));
            Err(format!("image_conversion: the staging folder has no room: {} needed, {left} left", ByteSize(mine)))
        };
        let died = |it: tokio::task::JoinError| Err(it.to_string());
        tokio::task::spawn_blocking(count).await.unwrap_or_else(died)
    }
}
