//! What the headers of bases said, from one look to the next.
//!
//! Nothing rewrites a base, and a directory may have ten thousand of them: what is the same file as before, by all that
//! the file system tells, is not read again. Disks are never remembered, their guests and nova write to them.

use super::chain::Header;
use crate::agent::base_dir::BaseFile;
use chrono::{DateTime, Utc};
use std::collections::HashMap;

/// The headers of bases that earlier looks have read.
#[derive(Debug, Default)]
pub struct Memory(HashMap<(u64, u64), (Stamp, Header)>);

/// What moves when a file changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    size: u64,
    mtime: DateTime<Utc>,
    changed: (i64, i64),
}

// === impl Memory ===

impl Memory {
    /// The header, if the file is as it was when that was read.
    pub(super) fn of(&self, file: &BaseFile) -> Option<Header> {
        self.0.get(&file.inode).filter(|(stamp, _)| *stamp == Stamp::of(file)).map(|(_, header)| header.clone())
    }

    /// Keeps what was read of a file after it was looked at; what could not be read is tried again.
    pub(super) fn keep(&mut self, file: &BaseFile, header: &Header) {
        if matches!(header, Header::Names(..)) {
            self.0.insert(file.inode, (Stamp::of(file), header.clone()));
        }
    }
}

// === impl Stamp ===

impl Stamp {
    fn of(file: &BaseFile) -> Self {
        Self { size: file.size, mtime: file.mtime, changed: file.changed }
    }
}
