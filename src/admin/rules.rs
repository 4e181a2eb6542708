//! What prefetch rules do on a node, and what the node is about to do.

use super::{ImageStatus, Room, Verdict};
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The prefetch rules of a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// Those that hold here, the most urgent first.
    pub rules: Vec<RuleStatus>,
    /// When the catalogue has listed its images for them last.
    pub listed_at: Option<DateTime<Utc>>,
    /// Why it did not since; the node goes on with what it knows.
    pub why: Option<String>,
}

/// What a rule does on a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleStatus {
    /// Its name.
    pub name: String,
    /// Who made it: `file` (the node's configuration) or `centre`.
    pub origin: String,
    /// It stands in the place of the centre's rule of the same name.
    pub replaces: bool,
    /// From -100 to 100.
    pub priority: i32,
    /// What it wants is never pruned.
    pub pin: bool,
    /// Images that it wants.
    pub wanted: u64,
    /// Those of them that are here.
    pub here: u64,
    /// Bytes of data of those that it wants.
    pub bytes: u64,
    /// Bytes that these may have.
    pub budget: Option<u64>,
    /// Images that it finds, and leaves out for its budget, or because rules want too many.
    pub left_out: u64,
    /// Whether it may fetch now.
    pub open: bool,
    /// When that changes, as far as it is known.
    pub changes_at: Option<DateTime<Utc>>,
}

/// What a node would fetch and remove now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What it would fetch, in this order.
    pub fetch: Vec<PlannedFetch>,
    /// What a prune pass would remove now, and what is gone at the catalogue; `allocated` is what that frees.
    pub remove: Vec<Verdict>,
    /// What rules find, and leave out.
    pub left_out: Vec<LeftOut>,
    /// Images that are left out; beyond a thousand they are only counted.
    pub left_out_count: u64,
    /// Bytes to fetch now, without what waits, as far as sizes are known.
    pub fetch_bytes: u64,
    /// Bytes on disk that removing would free.
    pub freed: u64,
    /// Space at the base directory.
    pub room: Room,
    /// What rules do.
    pub rules: Rules,
}

/// An image that would be fetched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedFetch {
    /// The image, and what is done with it.
    #[serde(flatten)]
    pub image: ImageStatus,
    /// Bytes of its data, when known.
    pub size: Option<u64>,
    /// Who wants it: `queued`, `pinned`, `wanted by rule golden`.
    pub reason: String,
    /// What it waits for, if it would not begin now.
    pub waits: Option<String>,
}

/// An image that a rule finds and leaves out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The image.
    pub id: ImageId,
    /// Its name at the centre.
    pub name: Option<String>,
    /// Bytes of its data.
    pub size: u64,
    /// The rule.
    pub rule: String,
    /// Why.
    pub why: String,
}
