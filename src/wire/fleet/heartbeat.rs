//! How agents register, and what goes to and fro with each beat; the rules are in [`crate::wire::fleet`].

use crate::image::ImageId;
use crate::wire::fleet::{Action, HeldState, InvalidDocument, JobId, Labels, NodeName};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most changes in a beat.
pub const MAX_CHANGES: usize = 1000;

/// The most results in a beat.
pub const MAX_RESULTS: usize = 1000;

/// The most work in an answer.
pub const MAX_WORK: usize = 1000;

/// The most characters of a reason; longer ones are cut by [`ImageChange::why`]'s and [`WorkResult::why`]'s writer.
const MAX_WHY: usize = 1000;

/// The most characters of an address, a version, a boot id, a digest.
const MAX_TEXT: usize = 255;

/// What an agent says of its node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// What the node is selected by.
    #[serde(default)]
    pub labels: Labels,
    /// Where other nodes reach the agent, such as `http://10.0.0.7:9393`, if they can. Up to 255 characters.
    #[serde(default)]
    pub address: Option<String>,
    /// The version of the agent. Up to 255 characters.
    pub version: String,
    /// `/proc/sys/kernel/random/boot_id`: another one says that the machine was started anew. Up to 255 characters.
    pub boot_id: String,
    /// The session that this agent had last, if it knows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
    /// A secret of this agent's own, written down before it is sent: a registration whose answer was lost is known again by
    /// it. Up to 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Session>,
}

/// The answer to a registration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registered {
    /// The node's name, as the centre writes it.
    pub node: NodeName,
    /// Names this session from now on.
    pub session: Session,
    /// Seconds from beat to beat.
    pub heartbeat_interval: u64,
    /// The version of the rules that hold now.
    pub rules_version: u64,
}

/// The secret by which an agent shows that it is the one who registered. Not shown by `{:?}`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Session(pub String);

/// A sign of life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Of the registration.
    pub session: Session,
    /// The number of this beat in the session: 1, 2, 3…
    pub sequence: u64,
    /// `changes` begins the whole inventory; what the centre knew of this node's images is forgotten.
    #[serde(default)]
    pub full: bool,
    /// Images whose state has changed, each at most once; at most [`MAX_CHANGES`].
    #[serde(default)]
    pub changes: Vec<ImageChange>,
    /// The node's figures; none while the agent does not know them: those of before hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// What became of work, each pair of job and image at most once; at most [`MAX_RESULTS`].
    #[serde(default)]
    pub results: Vec<WorkResult>,
    /// The version of the rules that the agent has; 0 for none.
    #[serde(default)]
    pub rules_version: u64,
}

/// The figures of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// Bytes of blocks that the bases take.
    pub used: u64,
    /// Bytes that are free on their file system.
    pub free: u64,
    /// Bytes of that file system.
    pub total: u64,
    /// Bytes that the instances' disks on that file system may still take.
    pub disk_growth: u64,
    /// Images that are there, verified.
    pub held: u64,
    /// Images that wait for their turn.
    pub queued: u64,
    /// Images on their way in.
    pub fetching: u64,
    /// Images that failed, and are tried again.
    pub failed: u64,
    /// Images that are pinned.
    pub pinned: u64,
}

/// An image whose state on the node has changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageChange {
    /// The image.
    pub image: ImageId,
    /// Its state; none (in JSON `gone`) when it is not there any more, neither cached nor wanted.
    #[serde(with = "state")]
    pub state: Option<HeldState>,
    /// Bytes of its base, or (not there yet) of its data; 0 when not known.
    #[serde(default)]
    pub size: u64,
    /// Bytes that have come in, while it is fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<u64>,
    /// Never pruned.
    #[serde(default)]
    pub pinned: bool,
    /// What its base (which may be raw where the image is not) hashes to, such as `blake3:…`, in hex. Up to 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Why it failed. Up to 1000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What became of one image of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkResult {
    /// The job.
    pub job: JobId,
    /// The image.
    pub image: ImageId,
    /// What became of it.
    pub state: Outcome,
    /// Why it failed. Up to 1000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// There was nothing to do.
    Existing,
    /// It could not be done.
    Failed,
}

/// The answer to a beat.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeartbeatAnswer {
    /// What the agent is to do, the most urgent first; at most [`MAX_WORK`].
    #[serde(default)]
    pub work: Vec<Work>,
    /// There is more work: send the next beat at once.
    #[serde(default)]
    pub more: bool,
    /// The beat was not done: the next one has `full`.
    #[serde(default)]
    pub resync: bool,
    /// The last beat of this session that was done; the next one has one more.
    pub sequence: u64,
    /// The version of the rules that hold now.
    #[serde(default)]
    pub rules_version: u64,
    /// Seconds until the next beat, at the latest.
    pub heartbeat_interval: u64,
}

/// Something to be done with one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// The job that asks for it.
    pub job: JobId,
    /// What is to be done.
    pub action: Action,
    /// The image.
    pub image: ImageId,
    /// From -100 to 100, the greatest first.
    pub priority: i32,
}

// === impl Session ===

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(…)")
    }
}

// === impl Registration ===

impl Registration {
    /// What deserialising does not check.
    ///
    /// # Errors
    /// [`InvalidDocument`].
    pub fn check(&self) -> Result<(), InvalidDocument> {
        text("address", self.address.as_deref(), MAX_TEXT)?;
        text("version", Some(&self.version), MAX_TEXT)?;
        text("boot_id", Some(&self.boot_id), MAX_TEXT)?;
        text("instance", self.instance.as_ref().map(|it| it.0.as_str()), MAX_TEXT)
    }
}

// === impl Heartbeat ===

impl Heartbeat {
    /// What deserialising does not check.
    ///
    /// # Errors
    /// [`InvalidDocument`].
    pub fn check(&self) -> Result<(), InvalidDocument> {
        most("changes", self.changes.len(), MAX_CHANGES)?;
        most("results", self.results.len(), MAX_RESULTS)?;
        if self.sequence == 0 || i64::try_from(self.sequence).is_err() {
            return Err(InvalidDocument("The sequence counts from 1.".to_owned()));
        }
        let sizes = self.changes.iter().flat_map(|it| [it.size, it.done.unwrap_or(0)]);
        if sizes
            .chain(self.summary.iter().flat_map(|it| it.figures()))
            .chain([self.rules_version])
            .any(|it| i64::try_from(it).is_err())
        {
            return Err(InvalidDocument("A number is larger than 2^63-1.".to_owned()));
        }
        for it in &self.changes {
            text("digest", it.digest.as_deref(), MAX_TEXT)?;
            text("why", it.why.as_deref(), MAX_WHY)?;
        }
        self.results.iter().try_for_each(|it| text("why", it.why.as_deref(), MAX_WHY))?;
        twice("changes", self.changes.iter().map(|it| it.image.as_str().to_owned()).collect())?;
        twice("results", self.results.iter().map(|it| format!("{} of {}", it.image, it.job)).collect())
    }
}

// === impl Summary ===

impl Summary {
    /// All of them, in their order.
    pub fn figures(self) -> [u64; 9] {
        [
            self.used,
            self.free,
            self.total,
            self.disk_growth,
            self.held,
            self.queued,
            self.fetching,
            self.failed,
            self.pinned,
        ]
    }
}

fn most(what: &str, count: usize, most: usize) -> Result<(), InvalidDocument> {
    if count > most {
        return Err(InvalidDocument(format!("There are {count} {what}, and {most} is the most in one beat.")));
    }
    Ok(())
}

fn text(what: &str, value: Option<&str>, most: usize) -> Result<(), InvalidDocument> {
    let count = value.map_or(0, |it| it.chars().count());
    if count > most {
        return Err(InvalidDocument(format!("'{what}' has {count} characters, and {most} is the most.")));
    }
    Ok(())
}

fn twice(what: &str, mut names: Vec<String>) -> Result<(), InvalidDocument> {
    names.sort_unstable();
    match names.windows(2).find(|it| it[0] == it[1]) {
        Some(pair) => Err(InvalidDocument(format!("'{what}' holds {} twice.", pair[0]))),
        None => Ok(()),
    }
}

/// `gone` beside the states of what is there.
mod state {
    use super::HeldState;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Written {
        Cached,
        Queued,
        Fetching,
        Failed,
        Gone,
    }

    #[expect(clippy::ref_option, reason = "serde asks for this form")]
    pub(super) fn serialize<S: Serializer>(state: &Option<HeldState>, to: S) -> Result<S::Ok, S::Error> {
        match state {
            Some(HeldState::Cached) => Written::Cached,
            Some(HeldState::Queued) => Written::Queued,
            Some(HeldState::Fetching) => Written::Fetching,
            Some(HeldState::Failed) => Written::Failed,
            None => Written::Gone,
        }
        .serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<HeldState>, D::Error> {
        Ok(match Written::deserialize(from)? {
            Written::Cached => Some(HeldState::Cached),
            Written::Queued => Some(HeldState::Queued),
            Written::Fetching => Some(HeldState::Fetching),
            Written::Failed => Some(HeldState::Failed),
            Written::Gone => None,
        })
    }
}
