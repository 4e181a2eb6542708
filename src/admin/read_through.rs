//! The node's read-through endpoint, in the status.

use crate::image::ImageId;
use serde::{Deserialize, Serialize};

/// What it has done since the agent started, and what it does now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReadThrough {
    /// Where it listens, such as `http://127.0.0.1:9292`.
    pub address: String,
    /// Requests for data that this node served.
    pub hits: u64,
    /// Those that read along with a download that others had begun.
    pub joined: u64,
    /// Those that began a download.
    pub misses: u64,
    /// Those that the catalogue served.
    pub passed: u64,
    /// Bytes of data that callers got from this node and its downloads.
    pub served: u64,
    /// Bytes that downloads brought from the catalogue.
    pub fetched: u64,
    /// Original images that are kept.
    pub originals: u64,
    /// Their bytes.
    pub kept: u64,
    /// Bytes that they may have (`read_through_cache_size`).
    pub limit: u64,
    /// Downloads under way.
    pub downloads: Vec<Download>,
}

/// A download that callers read along with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Download {
    /// The image.
    pub id: ImageId,
    /// Bytes so far.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
    /// Callers that read along.
    pub readers: u64,
}
