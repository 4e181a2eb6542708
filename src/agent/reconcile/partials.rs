//! What interrupted fetches have left for their next try: it goes first when room is needed.

use super::reconciler::Reconciler;
use crate::agent::plan::evict::Held;
use crate::image::ImageId;
use std::collections::{HashMap, HashSet};

/// Bytes of partial downloads, of which none is in work.
#[derive(Debug, Default)]
pub(super) struct Partials {
    left: HashMap<ImageId, u64>,
    /// Those that may be removed at this moment: their fetches do not begin.
    going: HashMap<ImageId, u64>,
}

// === impl Partials ===

impl Partials {
    /// A fetch has ended, and so much of it is there.
    pub(super) fn left(&mut self, id: &ImageId, bytes: u64) {
        match bytes {
            0 => drop(self.left.remove(id)),
            bytes => drop(self.left.insert(id.clone(), bytes)),
        }
    }

    /// It is in work now, or gone.
    pub(super) fn is_none(&mut self, id: &ImageId) {
        self.left.remove(id);
        // Whoever was offered it may be removing it just now: its fetch still does not begin.
        self.going.entry(id.clone()).and_modify(|it| *it = 0);
    }

    /// All are offered; who takes them says what has gone.
    fn offer(&mut self) {
        self.going.extend(std::mem::take(&mut self.left));
    }

    /// Those are gone that were taken.
    pub(super) fn taken(&mut self, gone: &HashSet<ImageId>) {
        let stays = |(id, bytes): &(ImageId, u64)| *bytes > 0 && !gone.contains(id);
        self.left.extend(std::mem::take(&mut self.going).into_iter().filter(stays));
    }

    pub(super) fn going(&self) -> impl Iterator<Item = &ImageId> {
        self.going.keys()
    }
}

// === impl Reconciler ===

impl Reconciler {
    /// Offers all partial downloads to whoever needs room, the least wanted first.
    pub(super) fn offer_partials(&mut self) -> Vec<Held> {
        self.partials.offer();
        let place: HashMap<&ImageId, usize> = self.state.queue.iter().map(|it| &it.id).zip(0..).collect();
        let mut all: Vec<Held> =
            self.partials.going.iter().map(|(id, bytes)| Held { id: id.clone(), bytes: *bytes }).collect();
        all.sort_by_key(|it| std::cmp::Reverse(place.get(&it.id).copied().unwrap_or(usize::MAX)));
        all
    }
}
