//! The admin socket of a node's agent: HTTP/1.1 with JSON over a Unix socket, peer credentials checked.
//!
//! Routes (all answer JSON; errors are `{"error": "what failed, on what, and what to do"}` with a 4xx or 5xx):
//!
//! ```text
//! GET    /status                 Status: what the agent is doing now
//! GET    /why/{id}               Why: everything known about one image on this node
//! GET    /plan                   Plan: what would be fetched and removed now; changes nothing
//! POST   /prefetch               Pass: one prefetch pass, answered when it is done
//! POST   /prune?dry_run=true     Pruned: one prune pass
//! PUT    /queue/{id}?priority=N  202: queues an image, or gives a queued one this priority
//! PUT    /pins/{id}              204: keeps an image on this node; DELETE ends that
//! POST   /scrub                  Scrubbed: one scrub pass over all bases, answered when it is done
//! GET    /metrics                Prometheus text
//! GET    /healthz                200 "OK"
//! ```
//!
//! and Glance's cache API (the parts that its command-line tools use): `/v2/cache[/{id}]`, `/v2/cached_images[/{id}]`,
//! `/v2/queued_images[/{id}]`.

mod client;
mod finding;
mod member;
mod messages;
mod priority;
mod read_through;
mod rules;
pub mod server;
mod sharing;

pub use client::{Client, ClientError};
pub use finding::{Finding, Level};
pub use member::{Check, Member, MemberState};
pub use messages::{
    CachedImage, ImageState, ImageStatus, Pass, PassResult, Pruned, Room, ScrubOutcome, Scrubbed, ScrubbedBase,
    Scrubbing, Status, Verdict, Verified, Why,
};
pub use priority::{InvalidPriority, Priority};
pub use read_through::{Download, ReadThrough};
pub use rules::{LeftOut, Plan, PlannedFetch, RuleStatus, Rules};
pub use sharing::{Sharer, SharerState, Sharing};

/// Where the agent listens unless configured otherwise.
pub const DEFAULT_SOCKET: &str = "/run/larder/agent.sock";
