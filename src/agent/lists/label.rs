//! What is kept with a list.

use crate::agent::plan::fetch::Order;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{fs::Metadata, os::unix::fs::MetadataExt, time::UNIX_EPOCH};

/// About the list of a base.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// The file that it is of; another one under the same name needs another list.
    pub file: FileId,
    /// By what the bytes were known to be right.
    pub trust: Trust,
    /// The id of the certificate that the image's signature was verified with before it became the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    /// When the list was made.
    pub made_at: DateTime<Utc>,
}

/// A file, whatever its name, owner and mtime. Device numbers change when a machine starts, so they do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileId {
    inode: u64,
    /// Nanoseconds since the epoch, where the file system knows: inodes are used again.
    born: Option<u64>,
}

/// By what the bytes of a base were known to be right when its list was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// This agent fetched them and compared their hash with the image's.
    Fetched,
    /// Nova fetched them; their hash is the image's.
    Catalogue,
    /// Nothing but that they were there when they were first read.
    FirstSeen,
}

/// About a download: the image's data as the catalogue described it. Only the same data is gone on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    size: Option<u64>,
    algorithm: String,
    hash: String,
}

// === impl Label ===

impl Label {
    /// Its bytes in a list.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// From its bytes in a list; none when they are no label.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

impl Wanted {
    /// The data of an image; none when there is nothing to tell it from other data by.
    pub fn of(order: &Order) -> Option<Self> {
        let (algorithm, hash) = order.digest.as_ref()?;
        Some(Self { size: order.size, algorithm: algorithm.to_string(), hash: hash.clone() })
    }

    /// Its bytes in a journal.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl From<&Metadata> for FileId {
    fn from(meta: &Metadata) -> Self {
        let since = |at: std::time::SystemTime| at.duration_since(UNIX_EPOCH).ok();
        let born = meta.created().ok().and_then(since).and_then(|it| u64::try_from(it.as_nanos()).ok());
        Self { inode: meta.ino(), born }
    }
}
