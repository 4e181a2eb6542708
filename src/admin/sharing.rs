//! Who shares the base directory with this agent.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The agents of one base directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharing {
    /// This host's name there.
    pub host: String,
    /// Why no other agent can share the directory, if so.
    #[serde(default)]
    pub alone: Option<String>,
    /// What keeps the others from seeing this agent, if something does.
    #[serde(default)]
    pub trouble: Option<String>,
    /// The others, by name.
    #[serde(default)]
    pub others: Vec<Sharer>,
}

/// One of the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharer {
    /// Its host.
    pub host: String,
    /// How it stands.
    pub state: SharerState,
    /// Bases that are pinned there.
    pub pins: u64,
    /// Its last sign of life, while it is away.
    #[serde(default)]
    pub last_seen: Option<DateTime<Utc>>,
    /// What is not clear about it.
    #[serde(default)]
    pub why: Option<String>,
}

/// How one of the others stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharerState {
    /// Its agent is there: what is to go is asked of it.
    Live,
    /// It is not: its pins stay.
    Away,
    /// It cannot be told what it needs: everything stays.
    Unclear,
}
