//! What is to be looked at: images that the feed named, or all of them.

use crate::agent::rules::Bell;
use crate::image::ImageId;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Notify;

/// Images that wait; beyond it all are looked at.
const MOST: usize = 1000;

/// Filled by the feed, emptied by the one who asks the catalogue.
#[derive(Debug, Default)]
pub(super) struct Hints {
    waiting: Mutex<Waiting>,
    bell: Notify,
    /// Follows prefetch rules, for which other images may count now.
    rules: Arc<Bell>,
    /// The catalogue was away, and may be another one now.
    pub(super) back: Notify,
}

#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) all: bool,
    pub(super) images: BTreeSet<ImageId>,
}

// === impl Hints ===

impl Hints {
    pub(super) fn new(rules: Arc<Bell>) -> Self {
        Self { rules, ..Self::default() }
    }

    pub(super) fn image(&self, id: ImageId) {
        self.put(|it| {
            it.images.insert(id);
            it.all |= it.images.len() > MOST;
            if it.all {
                it.images.clear();
            }
        });
    }

    pub(super) fn all(&self) {
        self.put(|it| *it = Waiting { all: true, images: BTreeSet::new() });
    }

    fn put(&self, change: impl FnOnce(&mut Waiting)) {
        change(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        self.bell.notify_one();
        self.rules.ring();
    }

    /// Waits for the next hint.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    pub(super) fn take(&self) -> Waiting {
        std::mem::take(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
