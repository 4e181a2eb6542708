//! What the loop knows: the index in memory, the last look, what is put off.

use super::{look::Look, presence::Gone, rules::Ruled, scrub_status::ScrubStatus, warnings::Warnings};
use crate::admin::{Member, Pass, Pruned};
use crate::agent::{
    execute::progress::Board,
    index::{Known, Queued},
    plan::{
        fetch::{Bounds, Ledger, Missing},
        prune::{BY_RULE, Decision, PINNED, Settings, decide},
    },
    sharing::Line,
};
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Instant,
};
use tokio::sync::watch;

#[derive(Debug)]
pub(super) struct State {
    /// The time of all that this turn of the loop decides.
    pub(super) now: DateTime<Utc>,
    pub(super) started_at: DateTime<Utc>,
    pub(super) base_directory: String,
    pub(super) catalogue: String,
    pub(super) idle_because: Option<String>,
    /// As in the index.
    pub(super) queue: Vec<Queued>,
    /// As in the index, by base.
    pub(super) known: BTreeMap<String, Known>,
    /// As in the index.
    pub(super) pins: BTreeSet<ImageId>,
    /// None before the first.
    pub(super) look: Option<Look>,
    /// About every file of the look.
    pub(super) decisions: Vec<Decision>,
    /// In use by an instance at the last look.
    pub(super) active: Option<HashSet<String>>,
    pub(super) put_off: HashMap<ImageId, PutOff>,
    pub(super) board: Board,
    /// Images whose bases other processes wait for.
    pub(super) waited_for: HashSet<ImageId>,
    /// Bytes that could be removed for their room, when that was last looked at.
    pub(super) evictable: Option<u64>,
    /// What slows fetches down.
    pub(super) pace: Option<String>,
    pub(super) ledger: Ledger,
    pub(super) bounds: Bounds,
    /// Nova's `reserve_disk_resource_for_image_cache`.
    pub(super) counted_by_nova: bool,
    pub(super) gone: Gone,
    pub(super) ruled: Ruled,
    /// The node's place in the fleet.
    pub(super) member: watch::Receiver<Member>,
    /// Who shares the base directory.
    pub(super) sharing: Line,
    pub(super) next_prefetch: Option<DateTime<Utc>>,
    pub(super) next_prune: Option<DateTime<Utc>>,
    pub(super) next_scrub: Option<DateTime<Utc>>,
    pub(super) scrub: ScrubStatus,
    pub(super) last_prefetch: Option<Pass>,
    pub(super) last_prune: Option<Pruned>,
    pub(super) warnings: Warnings,
}

/// An image that is tried again shortly, without a failure to count.
#[derive(Clone, Debug)]
pub(super) struct PutOff {
    pub(super) until: DateTime<Utc>,
    /// Since when nova holds the lock of its base, if that is why.
    pub(super) locked_since: Option<Instant>,
    /// What it waits for, if there is no room.
    pub(super) held: Option<Full>,
}

/// There was no room for an image.
#[derive(Clone, Debug)]
pub(super) struct Full {
    pub(super) why: String,
    /// What it lacks.
    pub(super) missing: Missing,
    /// How often that was so in a row.
    pub(super) times: u32,
}

// === impl State ===

impl State {
    /// Names of bases that are asked for, each with the reason.
    pub(super) fn wanted(&self) -> HashMap<String, String> {
        let working = self.board.images();
        let why = |it: &Queued| if working.contains_key(&it.id) { "being fetched" } else { "queued" };
        let queued = self.queue.iter().map(|it| (it.id.base_name(), why(it).to_owned()));
        let pinned = self.pins.iter().map(|it| (it.base_name(), PINNED.to_owned()));
        let ruled =
            self.ruled.desired.images.values().map(|it| (it.base.clone(), format!("{BY_RULE}{}", it.by_rules())));
        ruled.chain(queued).chain(pinned).collect()
    }

    /// Decides anew about every file of the last look.
    pub(super) fn judge(&mut self, settings: &Settings) {
        let wanted = self.wanted();
        let Some(look) = &mut self.look else { return };
        look.raise(&self.known);
        self.decisions = decide(&look.bases, &look.in_use, &wanted, self.now, settings);
    }

    pub(super) fn is_pinned(&self, id: &ImageId) -> bool {
        self.pins.contains(id)
    }

    pub(super) fn queued(&self, id: &ImageId) -> Option<&Queued> {
        self.queue.iter().find(|it| it.id == *id)
    }
}
