//! Nodes and what they hold, as the centre shows them.

use crate::image::ImageId;
use crate::wire::fleet::{Labels, NodeName, Summary};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Whether a node gives signs of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Its last beat is younger than three intervals.
    Up,
    /// It has been silent for longer.
    Down,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// By its beats.
    pub state: NodeState,
    /// What it is selected by.
    pub labels: Labels,
    /// Where other nodes reach its agent, such as `http://10.0.0.7:9393`, if they can.
    pub address: Option<String>,
    /// The version of its agent.
    pub version: String,
    /// The boot of its machine.
    pub boot_id: String,
    /// When it registered last.
    pub registered_at: DateTime<Utc>,
    /// When it gave a sign of life last.
    pub seen_at: DateTime<Utc>,
    /// The rules that it follows; 0 for none.
    pub rules_version: u64,
    /// Its own figures, as of its last beat.
    pub summary: Summary,
}

/// A page of nodes, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodePage {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The `marker` of the next page, if there is one.
    pub next: Option<String>,
}

/// What a node does with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldState {
    /// There and verified.
    Cached,
    /// Waits for its turn.
    Queued,
    /// On its way in.
    Fetching,
    /// It did not work; the agent tries again by itself.
    Failed,
}

/// An image on a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldImage {
    /// The image.
    pub image: ImageId,
    /// What the node does with it.
    pub state: HeldState,
    /// Bytes of its base, or (not there yet) of its data; 0 when not known.
    pub size: u64,
    /// Bytes that have come in, while it is fetched.
    pub done: Option<u64>,
    /// Never pruned.
    pub pinned: bool,
    /// What its base (which may be raw where the image is not) hashes to, such as `blake3:…`, in hex.
    pub digest: Option<String>,
    /// Why it failed.
    pub why: Option<String>,
    /// When the node said so.
    pub changed_at: DateTime<Utc>,
}

/// A page of the images of a node, in the order of their ids.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeImages {
    /// The images.
    pub images: Vec<HeldImage>,
    /// The `marker` of the next page, if there is one.
    pub next: Option<String>,
}

/// A node that has an image, or is to have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    /// The node.
    pub node: NodeName,
    /// By its beats.
    pub node_state: NodeState,
    /// Where other nodes reach it.
    pub address: Option<String>,
    /// What it does with the image.
    #[serde(flatten)]
    pub held: HeldImage,
}

/// A page of the nodes of an image, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ImageNodes {
    /// The nodes.
    pub nodes: Vec<Holder>,
    /// The `marker` of the next page, if there is one.
    pub next: Option<String>,
}
