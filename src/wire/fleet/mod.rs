//! The fleet's documents, under `/larder/v1/`: what agents, the centre and the commands say to each other.
//!
//! # What an agent does
//!
//! ```text
//! PUT  /larder/v1/nodes/{name}             Registration → Registered     at the start, and when a beat is answered 404 or 409
//! POST /larder/v1/nodes/{name}/heartbeat   Heartbeat → HeartbeatAnswer   every `heartbeat_interval` seconds, or sooner
//! GET  /larder/v1/rules?node={name}        → RuleSet                     when `rules_version` is not the one it has
//! GET  /larder/v1/changes?node={name}      → server-sent events          all the time: a hint to look, see [`Change`]
//! ```
//!
//! All of it takes a token that the policy rule `larder_agent` allows (by default the role `service` or `admin`).
//!
//! **Registering.** The name is the host's, in lower case ([`NodeName`]). The answer's `session` is a secret; the agent
//! keeps it on disk and names it when it registers again. While a node is alive its name can only be registered again
//! with that session: anybody else gets 409, and has to wait until the node counts as down (three intervals without a
//! beat). An answer may get lost: the agent's `instance`, a secret that it has written down before, serves in place of a
//! session that has had no beat yet. Behind a login the name stays with the user who registered it: another one gets 403
//! until an admin forgets the node, or is an admin. Each registration begins a new session and ends the old one. The first
//! beat after it is the [`Heartbeat`] with `sequence` 1 and `full`; the agent sends it when it has looked at its disk, at
//! the latest after one interval.
//!
//! **Beats.** `sequence` counts the beats of a session: 1, 2, 3… One beat is under way at a time. A beat that got no
//! answer, or a 5xx, is sent again as it was, with the same sequence: the centre does it once, and answers it again with
//! the same work. Only after an answer comes the next number. A beat is sent at the latest `heartbeat_interval` seconds
//! after the last one; sooner, but at most once a second, when there are changes or results, when the feed says `work` or
//! `rules`, or when the answer said `more`. After a failure the agent waits, longer each time, up to the interval.
//!
//! **The inventory.** `changes` holds the images whose state differs from what the centre was told last, at most
//! [`MAX_CHANGES`] of them (and 512 KiB of JSON: servers take no document over 1 MiB); the rest goes with the next
//! beats. An image that is no longer there is `gone`, said once. A beat with `full` replaces all that the centre knows
//! of this node: it begins a whole inventory, and the beats after it go on with it. When the answer says `resync`, the
//! beat was **not** done (its sequence does not follow, or the centre has lost what it knew): the next beat has `full`,
//! and as its sequence one more than the answer's.
//!
//! **Answers to a beat.** 200 [`HeartbeatAnswer`]; 404: the centre does not know the node, or 409: the session is not the
//! one of now: register again (409 to that: another agent has the name; say so loudly and try at each interval); 401,
//! 403: the login is wrong; 400: the beat makes no sense, which is a bug: log it, begin again with `full`.
//!
//! **Work.** `work` is what the centre wants done; by the next beat (the next sequence) the agent says that it has taken
//! it over, so it writes it down in its own queue first. Work of a session that ended is handed out again, and so may
//! come twice: the pair of job and image tells it. When an image is done the agent says so by a [`WorkResult`], at most
//! [`MAX_RESULTS`] per beat, and keeps it until a beat that held it was answered:
//!
//! | action   | `done`                             | `existing`                  | `failed`                              |
//! |----------|------------------------------------|-----------------------------|---------------------------------------|
//! | `queue`  | fetched, verified and published    | it was there, verified      | given up; tried again as the agent does, and a later result replaces this one |
//! | `pin`    | pinned, and there                  | pinned already, and there   | pinned, but cannot be fetched         |
//! | `unpin`  | not pinned any more                | was not pinned              |                                       |
//! | `remove` | its base and its queue entry are gone | neither was there        | in use (by what), or not removable    |
//!
//! A job that is cancelled or expires takes nothing back that was handed out: its late results are taken and kept.
//!
//! **Rules.** An agent keeps the rules that it has read last, and follows them while the centre is away. It asks for them
//! with its own name, so that it gets those whose selector matches its labels, and tells by `rules_version` in its beats
//! which ones it has (0: none).
//!
//! **The feed** is a hint: an event says what to look at, not what it is now. Its id is its sequence; the agent gives
//! the last one as `Last-Event-ID` when it connects again. `reset` says that events were lost: look at everything once.
//! An event may come twice after a reconnect. Comments keep the connection alive; silence of a minute means that it is
//! cut. The centre ends it after a quarter of an hour, and answers 503 when too many listen: connect again, after a
//! wait. Without the feed everything arrives too, by beats and the agent's own passes.

mod change;
mod heartbeat;
mod job;
mod name;
mod node;
mod rule;
mod selector;
#[cfg(test)]
mod tests;

pub use change::{Change, ChangePage, Event};
pub use heartbeat::{
    Heartbeat, HeartbeatAnswer, ImageChange, MAX_CHANGES, MAX_RESULTS, MAX_WORK, Outcome, Registered, Registration,
    Session, Summary, Work, WorkResult,
};
pub use job::{
    Action, Counts, ItemState, Job, JobDetail, JobItem, JobPage, JobState, MAX_ITEMS, MAX_JOB_IMAGES, MAX_JOB_NAMES,
    NewJob, Targets,
};
pub use name::{InvalidName, JobId, NodeName, RuleName};
pub use node::{HeldImage, HeldState, Holder, ImageNodes, Node, NodeImages, NodePage, NodeState};
pub use rule::{ImageMatch, InvalidRule, Rule, RuleSet, Window};
pub use selector::{InvalidLabel, Labels, Selector};

/// A document that is well-formed JSON and still makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidDocument(pub String);
