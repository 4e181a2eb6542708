//! The node's place in the fleet that the catalogue keeps.

use crate::image::ImageId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Where the node stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Member {
    /// Its name there.
    pub node: String,
    /// Whether it is in.
    pub state: MemberState,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
    /// When the catalogue answered a beat last.
    pub last_beat: Option<DateTime<Utc>>,
    /// Why it is not in.
    pub why: Option<String>,
    /// Whether changes arrive at once; otherwise they come with beats and the agent's own passes.
    pub follows: bool,
    /// Work of jobs that is not done.
    pub open_work: u64,
    /// Results that the catalogue has not heard.
    pub untold_results: u64,
    /// The prefetch rules that the node has; 0 for none.
    pub rules_version: u64,
}

/// Whether a node is in the fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberState {
    /// It does not want to be.
    #[default]
    Off,
    /// It has not got an answer yet.
    Joining,
    /// It is.
    Connected,
    /// The catalogue does not answer, or refuses; the node tries again by itself.
    Lost,
    /// The catalogue keeps no fleet, as a stock Glance does not.
    Absent,
}

/// What came of asking the catalogue about all cached images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// When.
    pub at: DateTime<Utc>,
    /// Images that it has.
    pub there: u64,
    /// Images that it has no more: their bases go when nothing uses them.
    pub gone: u64,
    /// Images that it seems to have no more, too many at once to be believed.
    pub doubted: u64,
    /// Why nothing is known, if so.
    pub why: Option<String>,
    /// The doubted ones: they go when an operator confirms that they are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<ImageId>,
}
