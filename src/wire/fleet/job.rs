//! Jobs: what an operator asks of nodes, and what became of it on each.

use crate::image::ImageId;
use crate::wire::fleet::{InvalidDocument, JobId, NodeName, Selector};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{collections::HashSet, fmt};

/// The most images of a job.
pub const MAX_JOB_IMAGES: usize = 100;

/// The most nodes that a job names one by one.
pub const MAX_JOB_NAMES: usize = 1000;

/// The most pairs of node and image that a job may come to.
pub const MAX_ITEMS: usize = 100_000;

/// What is done with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Fetch it.
    Queue,
    /// Fetch it, and never prune it.
    Pin,
    /// It may be pruned again.
    Unpin,
    /// Remove it, unless an instance uses it.
    Remove,
}

/// What an operator asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewJob {
    /// What is done.
    pub action: Action,
    /// With which images: 1 to [`MAX_JOB_IMAGES`] of them.
    pub images: Vec<ImageId>,
    /// On which nodes.
    pub nodes: Targets,
    /// From -100 to 100, the greatest first.
    #[serde(default)]
    pub priority: i32,
}

/// The nodes of a job, as of the moment when it is made: `{"names": ["n1"]}`, `{"selector": "site=x"}` or `{"all": true}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Targets {
    /// These nodes: 1 to [`MAX_JOB_NAMES`] of them.
    Names(Vec<NodeName>),
    /// Those with these labels, at least one label.
    Selector(Selector),
    /// Every node; always true.
    All(bool),
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Some nodes have work left.
    Running,
    /// Every node has said what became of it.
    Done,
    /// Somebody cancelled it.
    Cancelled,
    /// Some nodes did not come to it in time.
    Expired,
}

/// A job as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Where it stands.
    pub state: JobState,
    /// What is done.
    pub action: Action,
    /// With which images.
    pub images: Vec<ImageId>,
    /// On which nodes, as it was asked for.
    pub nodes: Targets,
    /// From -100 to 100.
    pub priority: i32,
    /// The user that asked for it, where there is a login.
    pub user: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When what is not handed out by then is given up.
    pub expires_at: DateTime<Utc>,
    /// How many pairs of node and image are in which state.
    pub counts: Counts,
}

/// How many pairs of node and image of a job are in which state ([`ItemState`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of ItemState")]
pub struct Counts {
    pub total: u64,
    pub waiting: u64,
    pub node_down: u64,
    pub handed: u64,
    pub done: u64,
    pub existing: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub expired: u64,
}

/// Where one image of a job stands on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// The node gets it with its next beat.
    Waiting,
    /// The node gives no sign of life; it gets it when it is back.
    NodeDown,
    /// The node has it in hand.
    Handed,
    /// Done.
    Done,
    /// There was nothing to do.
    Existing,
    /// It could not be done.
    Failed,
    /// Cancelled before the node got it.
    Cancelled,
    /// Given up before the node got it.
    Expired,
}

/// One image of a job on one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobItem {
    /// The node.
    pub node: NodeName,
    /// The image.
    pub image: ImageId,
    /// Where it stands.
    pub state: ItemState,
    /// Why it failed.
    pub why: Option<String>,
    /// When it came to that.
    pub changed_at: DateTime<Utc>,
}

/// A job with a page of its results, in the order of nodes and images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobDetail {
    /// The job.
    #[serde(flatten)]
    pub job: Job,
    /// What became of it on each node.
    pub results: Vec<JobItem>,
    /// The `marker` of the next page, if there is one.
    pub next: Option<String>,
}

/// A page of jobs, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// The `marker` of the next page, if there is one.
    pub next: Option<String>,
}

// === impl NewJob ===

impl NewJob {
    /// What deserialising does not check.
    ///
    /// # Errors
    /// [`InvalidDocument`].
    pub fn check(&self) -> Result<(), InvalidDocument> {
        counted("images", self.images.len(), MAX_JOB_IMAGES)?;
        if self.images.iter().collect::<HashSet<_>>().len() < self.images.len() {
            return Err(InvalidDocument("An image is named twice.".to_owned()));
        }
        check_priority(self.priority)?;
        match &self.nodes {
            Targets::Names(names) => counted("nodes", names.len(), MAX_JOB_NAMES),
            Targets::Selector(selector) => selector.clone().not_empty().map(drop),
            Targets::All(true) => Ok(()),
            Targets::All(false) => {
                Err(InvalidDocument("'all' is true or not there: give names or a selector instead.".to_owned()))
            }
        }
    }
}

/// Priorities are from -100 to 100.
pub(super) fn check_priority(priority: i32) -> Result<(), InvalidDocument> {
    if (-100..=100).contains(&priority) {
        return Ok(());
    }
    Err(InvalidDocument(format!("The priority {priority} is not between -100 and 100.")))
}

fn counted(what: &str, count: usize, most: usize) -> Result<(), InvalidDocument> {
    if (1..=most).contains(&count) {
        return Ok(());
    }
    Err(InvalidDocument(format!("A job takes 1 to {most} {what}, and there are {count}.")))
}

// === impl Action ===

impl Action {
    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Pin => "pin",
            Self::Unpin => "unpin",
            Self::Remove => "remove",
        }
    }

    /// All of them.
    pub const ALL: [Self; 4] = [Self::Queue, Self::Pin, Self::Unpin, Self::Remove];
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Counts ===

impl Counts {
    /// What is still to come: 0 when the job is over.
    pub fn open(&self) -> u64 {
        self.waiting + self.node_down + self.handed
    }
}
