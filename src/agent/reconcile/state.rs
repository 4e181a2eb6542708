//! What the loop knows: the index in memory, the last look, what is put off.

use super::{look::Look, warnings::Warnings};
use crate::admin::{Pass, Pruned};
use crate::agent::{
    execute::progress::Board,
    index::{Known, Queued},
    plan::prune::{Decision, Settings, decide},
};
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Instant,
};

#[derive(Debug)]
pub(super) struct State {
    pub(super) started_at: DateTime<Utc>,
    pub(super) base_directory: String,
    pub(super) catalogue: String,
    pub(super) idle_because: Option<String>,
    /// As in the index.
    pub(super) queue: Vec<Queued>,
    /// As in the index, by base.
    pub(super) known: BTreeMap<String, Known>,
    /// None before the first.
    pub(super) look: Option<Look>,
    /// About every file of the look.
    pub(super) decisions: Vec<Decision>,
    /// In use by an instance at the last look.
    pub(super) active: Option<HashSet<String>>,
    pub(super) put_off: HashMap<ImageId, PutOff>,
    pub(super) board: Board,
    pub(super) next_prefetch: Option<DateTime<Utc>>,
    pub(super) next_prune: Option<DateTime<Utc>>,
    pub(super) last_prefetch: Option<Pass>,
    pub(super) last_prune: Option<Pruned>,
    pub(super) warnings: Warnings,
}

/// An image that is tried again shortly, without a failure to count.
#[derive(Clone, Copy, Debug)]
pub(super) struct PutOff {
    pub(super) until: DateTime<Utc>,
    /// Since when nova holds the lock of its base, if that is why.
    pub(super) locked_since: Option<Instant>,
}

// === impl State ===

impl State {
    /// Names of bases that are asked for, each with the reason.
    pub(super) fn wanted(&self) -> HashMap<String, String> {
        let working = self.board.images();
        let why = |it: &Queued| if working.contains_key(&it.id) { "being fetched" } else { "queued" };
        self.queue.iter().map(|it| (it.id.base_name(), why(it).to_owned())).collect()
    }

    /// Decides anew about every file of the last look.
    pub(super) fn judge(&mut self, settings: &Settings) {
        let wanted = self.wanted();
        let Some(look) = &mut self.look else { return };
        look.raise(&self.known);
        self.decisions = decide(&look.bases, &look.in_use, &wanted, Utc::now(), settings);
    }

    /// The image that a base is of, when known.
    pub(super) fn image_of(&self, base: &str) -> Option<ImageId> {
        let known = self.known.get(base).and_then(|it| it.id.clone());
        known.or_else(|| self.queue.iter().map(|it| &it.id).find(|it| it.base_name() == base).cloned())
    }

    pub(super) fn queued(&self, id: &ImageId) -> Option<&Queued> {
        self.queue.iter().find(|it| it.id == *id)
    }
}
