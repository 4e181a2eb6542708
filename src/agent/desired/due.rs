//! Which images of the queue are to be tried now.

use crate::agent::index::Queued;
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use std::collections::HashSet;

/// By what an image's turn comes.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// The time.
    pub now: DateTime<Utc>,
    /// In work, or put off: left out.
    pub busy: &'a HashSet<ImageId>,
    /// A pass wants these, whether their wait is over or not.
    pub asked: &'a HashSet<ImageId>,
    /// What was never tried needs no pass.
    pub at_once: bool,
}

// === impl Turn ===

impl Turn<'_> {
    /// The images to begin with now, at most `places`, in the order of the queue.
    pub fn due(&self, queue: &[Queued], places: usize) -> Vec<ImageId> {
        let ready = |it: &&Queued| self.at(it).is_some_and(|at| at <= self.now);
        queue.iter().filter(ready).take(places).map(|it| it.id.clone()).collect()
    }

    /// When the next one's turn comes; none when only a pass can bring it.
    pub fn next(&self, queue: &[Queued]) -> Option<DateTime<Utc>> {
        queue.iter().filter_map(|it| self.at(it)).min()
    }

    fn at(&self, it: &Queued) -> Option<DateTime<Utc>> {
        if self.busy.contains(&it.id) {
            None
        } else if self.asked.contains(&it.id) {
            Some(self.now)
        } else if self.at_once || it.attempts > 0 {
            Some(it.retry_at.unwrap_or(self.now))
        } else {
            None
        }
    }
}
