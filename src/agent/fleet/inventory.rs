//! What the node has, in the words of the fleet, and what of it the catalogue has not heard yet. Pure.

use crate::admin::{ImageState, ImageStatus, Status, Verdict};
use crate::image::ImageId;
use crate::wire::fleet::{Heartbeat, HeldState, ImageChange, MAX_CHANGES, Summary};
use std::collections::{BTreeMap, HashMap};

/// The longest text that goes with a failure, characters.
const LONGEST_WHY: usize = 1000;

/// The images of a node, by id.
pub(super) type Images = BTreeMap<ImageId, ImageChange>;

/// What the catalogue knows of this node.
#[derive(Debug, Default)]
pub(super) struct Told(Images);

/// How much the catalogue lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum News {
    /// It knows everything.
    Nothing,
    /// Only how far fetches are: that can wait some seconds.
    Progress,
    /// Something has changed.
    Something,
}

/// The images whose id is known.
pub(super) fn images(status: &Status) -> Images {
    let bases: HashMap<&str, &Verdict> = status.bases.iter().map(|it| (it.base.as_str(), it)).collect();
    let with_id = status.images.iter().filter_map(|it| Some((it.id.clone()?, it)));
    with_id.map(|(id, it)| (id.clone(), image(id, it, bases.get(it.base.as_str()).copied()))).collect()
}

fn image(image: ImageId, it: &ImageStatus, base: Option<&Verdict>) -> ImageChange {
    let (state, size, done, why) = match &it.state {
        ImageState::Cached => (HeldState::Cached, base.map(|it| it.size), None, None),
        ImageState::Fetching { done, total, .. } => (HeldState::Fetching, *total, Some(*done), None),
        ImageState::Converting { done, total } => (HeldState::Fetching, Some(*total), Some(*done), None),
        ImageState::Verifying => (HeldState::Fetching, None, None, None),
        ImageState::Queued { .. } | ImageState::WaitingForLock | ImageState::Held { .. } => {
            (HeldState::Queued, None, None, None)
        }
        ImageState::Failed { why, .. } => (HeldState::Failed, None, None, Some(shortened(why))),
    };
    let blake3 = base.filter(|_| state == HeldState::Cached).and_then(|it| it.verified.as_ref()?.blake3.as_ref());
    let digest = blake3.map(|it| format!("blake3:{it}"));
    ImageChange { image, state: Some(state), size: size.unwrap_or(0), done, pinned: it.pinned, digest, why }
}

/// A reason as it may be sent.
pub(super) fn shortened(why: &str) -> String {
    why.chars().take(LONGEST_WHY).collect()
}

/// The figures of the node.
pub(super) fn summary(status: &Status, images: &Images) -> Summary {
    let count = |state| images.values().filter(|it| it.state == Some(state)).count() as u64;
    Summary {
        used: status.room.used,
        free: status.room.free,
        total: status.room.total,
        disk_growth: status.room.disk_growth,
        held: count(HeldState::Cached),
        queued: count(HeldState::Queued),
        fetching: count(HeldState::Fetching),
        failed: count(HeldState::Failed),
        pinned: images.values().filter(|it| it.pinned).count() as u64,
    }
}

// === impl Told ===

impl Told {
    /// Nothing of what was told counts any more.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// What the catalogue lacks, as much as one beat takes.
    pub(super) fn changes(&self, now: &Images) -> Vec<ImageChange> {
        let changed = now.iter().filter(|(id, it)| self.0.get(id) != Some(it)).map(|(_, it)| it.clone());
        let gone = self.0.keys().filter(|id| !now.contains_key(id)).map(|id| gone(id.clone()));
        gone.chain(changed).take(MAX_CHANGES).collect()
    }

    /// How much that is.
    pub(super) fn news(&self, now: &Images) -> News {
        let of = |(id, it): (&ImageId, &ImageChange)| match self.0.get(id) {
            Some(old) if old == it => News::Nothing,
            Some(old) if (ImageChange { done: old.done, ..it.clone() }) == *old => News::Progress,
            _ => News::Something,
        };
        // Ids are the same in number only when none is missing, unless one came, which is news too.
        if self.0.len() > now.len() { News::Something } else { now.iter().map(of).max().unwrap_or(News::Nothing) }
    }

    /// A beat was done.
    pub(super) fn heard(&mut self, beat: &Heartbeat) {
        if beat.full {
            self.0.clear();
        }
        for it in &beat.changes {
            match it.state {
                Some(_) => self.0.insert(it.image.clone(), it.clone()),
                None => self.0.remove(&it.image),
            };
        }
    }
}

fn gone(image: ImageId) -> ImageChange {
    ImageChange { image, state: None, size: 0, done: None, pinned: false, digest: None, why: None }
}
