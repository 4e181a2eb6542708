//! Which image each base is of.

use super::state::State;
use crate::agent::index::Known;
use crate::image::ImageId;
use std::collections::{BTreeMap, HashMap};

/// All that names images, by their bases: a name is a hash, and to hash a long queue for each of many bases takes long.
pub(super) struct Names<'a> {
    known: &'a BTreeMap<String, Known>,
    asked: HashMap<String, &'a ImageId>,
}

// === impl Names ===

impl Names<'_> {
    /// The image that a base is of, when known.
    pub(super) fn of(&self, base: &str) -> Option<ImageId> {
        let known = self.known.get(base).and_then(|it| it.id.as_ref());
        known.or_else(|| self.asked.get(base).copied()).cloned()
    }
}

// === impl State ===

impl State {
    /// The names of now.
    pub(super) fn names(&self) -> Names<'_> {
        let asked = self.queue.iter().map(|it| &it.id).chain(&self.pins).map(|id| (id.base_name(), id));
        let ruled = self.ruled.desired.images.iter().map(|(id, it)| (it.base.clone(), id));
        Names { known: &self.known, asked: asked.chain(ruled).collect() }
    }

    /// The image that one base is of, when known.
    pub(super) fn image_of(&self, base: &str) -> Option<ImageId> {
        self.names().of(base)
    }
}
