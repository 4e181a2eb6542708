//! A fetch in work, as the loop knows it.

use crate::admin::Priority;
use crate::agent::execute::gate::Lever;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

#[derive(Debug)]
pub(super) struct Job {
    pub(super) cancel: CancellationToken,
    pub(super) lever: Lever,
    pub(super) priority: Priority,
    /// The order in which fetches began.
    pub(super) number: u64,
    /// Since when it stands still for want of room.
    full_since: Option<Instant>,
    /// It was ended for want of room, and why; its image stays in the queue.
    pub(super) given_up: Option<String>,
}

// === impl Job ===

impl Job {
    pub(super) fn new(cancel: CancellationToken, lever: Lever, priority: Priority, number: u64) -> Self {
        Self { cancel, lever, priority, number, full_since: None, given_up: None }
    }

    /// It has room now, or has none, for this reason; gives back for how long it has had none.
    pub(super) fn room(&mut self, why: Option<&str>) -> Duration {
        match why {
            None => self.full_since = None,
            Some(_) => drop(self.full_since.get_or_insert_with(Instant::now)),
        }
        self.full_since.map_or(Duration::ZERO, |it| it.elapsed())
    }

    /// Ends it, since there is no room for it.
    pub(super) fn give_up(&mut self, why: String) {
        self.given_up.get_or_insert(why);
        self.cancel.cancel();
    }
}
