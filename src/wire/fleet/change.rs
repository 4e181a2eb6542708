//! The change feed: what happened at the centre, in the order in which readers see it.

use crate::image::ImageId;
use crate::wire::fleet::{JobId, NodeName};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// An image was made; it has no data yet.
    ImageCreated,
    /// Its record changed, or its data came (`active`).
    ImageUpdated,
    /// It was deleted.
    ImageDeleted,
    /// Its data was closed.
    ImageDeactivated,
    /// Its data was opened again.
    ImageReactivated,
    /// It is shared with others than before.
    ImageMembers,
    /// A rule was made, changed or deleted.
    Rules,
    /// A job has work for nodes.
    Work,
    /// Events were lost: look at everything once. Not a change itself; its sequence is where the feed goes on.
    Reset,
}

/// Something that changed. In server-sent events the id is `sequence`, the event's name is `event`, the data is this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Its place in the feed: greater than that of every change that any reader has seen before it.
    pub sequence: u64,
    /// What happened.
    pub event: Event,
    /// When.
    pub at: DateTime<Utc>,
    /// The image, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageId>,
    /// The job that has work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// The node that has work; none when there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeName>,
}

/// A page of the feed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChangePage {
    /// In the order of their sequence.
    pub changes: Vec<Change>,
    /// What `since` is to be for the next page.
    pub next: u64,
}

// === impl Event ===

impl Event {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::ImageCreated,
        Self::ImageUpdated,
        Self::ImageDeleted,
        Self::ImageDeactivated,
        Self::ImageReactivated,
        Self::ImageMembers,
        Self::Rules,
        Self::Work,
        Self::Reset,
    ];

    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ImageCreated => "image_created",
            Self::ImageUpdated => "image_updated",
            Self::ImageDeleted => "image_deleted",
            Self::ImageDeactivated => "image_deactivated",
            Self::ImageReactivated => "image_reactivated",
            Self::ImageMembers => "image_members",
            Self::Rules => "rules",
            Self::Work => "work",
            Self::Reset => "reset",
        }
    }

    /// The event of this word.
    pub fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == word)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
