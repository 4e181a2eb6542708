//! The work that was taken over, and what became of it. Pure: what has changed is written down by the caller.

use super::inventory::shortened;
use crate::admin::{ImageState, ImageStatus, Status};
use crate::agent::index::Taken;
use crate::image::ImageId;
use crate::wire::fleet::{Action, JobId, MAX_RESULTS, Outcome, Work, WorkResult};
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
};

/// One image of one job.
pub(crate) type Key = (JobId, ImageId);

/// An image that was queued and has not been seen in the queue for this long was taken out.
const UNSEEN: TimeDelta = TimeDelta::seconds(15);

/// The work of this node.
#[derive(Debug, Default)]
pub(super) struct Journal {
    rows: BTreeMap<Key, Taken>,
    /// Handed to the loop by this process.
    begun: HashSet<Key>,
    /// The loop has them in its queue.
    watched: HashSet<Key>,
    /// Seen in the queue, or on its way in, since then.
    seen: HashSet<Key>,
    changed: BTreeSet<Key>,
    forgotten: BTreeSet<Key>,
}

/// How a piece of work ended, or has to be tried once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It ended.
    Ended(Outcome, Option<String>),
    /// It is under way; the status will tell.
    UnderWay,
    /// Not now.
    Later,
}

/// The states of the images, by id.
pub(super) type States<'a> = HashMap<&'a ImageId, &'a ImageStatus>;

pub(super) fn states(status: &Status) -> States<'_> {
    status.images.iter().filter_map(|it| Some((it.id.as_ref()?, it))).collect()
}

// === impl Journal ===

impl Journal {
    /// As it was written down.
    pub(super) fn new(rows: Vec<Taken>) -> Self {
        let rows: BTreeMap<Key, Taken> = rows.into_iter().map(|it| ((it.job.clone(), it.image.clone()), it)).collect();
        // What has failed is in the queue still, and may come yet.
        let failed = |it: &Taken| it.outcome.is_some() && !it.closed;
        let watched = rows.iter().filter(|(_, it)| failed(it)).map(|(key, _)| key.clone()).collect();
        Self { rows, watched, ..Self::default() }
    }

    /// Takes work over. What comes twice is done once; an outcome that was told is told again.
    pub(super) fn take(&mut self, work: Vec<Work>) {
        for Work { job, action, image, priority } in work {
            let key = (job.clone(), image.clone());
            self.forgotten.remove(&key);
            self.changed.insert(key.clone());
            let fresh = Taken {
                job,
                image,
                action,
                priority,
                begun_at: None,
                existed: false,
                attempts: 0,
                outcome: None,
                why: None,
                told: false,
                closed: false,
            };
            self.rows.entry(key).or_insert(fresh).told = false;
        }
    }

    /// What is to be written down, and forgotten there; [`Journal::written`] is to be called afterwards.
    pub(super) fn unwritten(&self) -> Option<(Vec<Taken>, Vec<Key>)> {
        if self.changed.is_empty() && self.forgotten.is_empty() {
            return None;
        }
        let changed = self.changed.iter().filter_map(|key| self.rows.get(key).cloned()).collect();
        Some((changed, self.forgotten.iter().cloned().collect()))
    }

    /// All of that is written.
    pub(super) fn written(&mut self) {
        self.changed.clear();
        self.forgotten.clear();
    }

    /// Begins the most urgent of what waits, up to `places`.
    pub(super) fn begin(&mut self, states: &States<'_>, now: DateTime<Utc>, places: usize) -> Vec<Taken> {
        let waits = |key: &Key, it: &Taken| it.outcome.is_none() && !it.closed && !self.begun.contains(key);
        let mut keys: Vec<(Reverse<i32>, Key)> = self
            .rows
            .iter()
            .filter(|(key, it)| waits(key, it))
            .map(|(key, it)| (Reverse(it.priority), key.clone()))
            .collect();
        keys.sort();
        let keys = keys.into_iter().map(|(_, key)| key).take(places);
        keys.filter_map(|key| {
            self.begun.insert(key.clone());
            let it = self.rows.get_mut(&key)?;
            if it.begun_at.is_none() {
                it.begun_at = Some(now);
                let image = states.get(&it.image);
                let state = image.map(|it| &it.state);
                let pinned = image.is_some_and(|it| it.pinned);
                it.existed = match it.action {
                    Action::Queue => state == Some(&ImageState::Cached),
                    Action::Pin => state == Some(&ImageState::Cached) && pinned,
                    Action::Remove => state.is_some(),
                    Action::Unpin => pinned,
                };
                it.attempts = match state {
                    Some(ImageState::Failed { attempts, .. }) => *attempts,
                    _ => 0,
                };
                self.changed.insert(key);
            }
            Some(it.clone())
        })
        .collect()
    }

    /// What the loop said to one that was begun.
    pub(super) fn stepped(&mut self, key: &Key, step: Step, now: DateTime<Utc>) {
        let Some(it) = self.rows.get_mut(key) else { return };
        match step {
            Step::UnderWay => {
                // It counts as unseen from now on: what was begun before a crash may have waited for long.
                it.begun_at = Some(now);
                self.watched.insert(key.clone());
            }
            Step::Later => drop(self.begun.remove(key)),
            Step::Ended(outcome, why) => {
                end(it, outcome, why, true);
                self.changed.insert(key.clone());
            }
        }
    }

    /// Looks what became of images that are fetched.
    pub(super) fn settle(&mut self, states: &States<'_>, idle: Option<&str>, now: DateTime<Utc>) {
        for (key, it) in self.rows.iter_mut().filter(|(key, it)| !it.closed && self.watched.contains(*key)) {
            let state = states.get(&it.image).map(|it| &it.state);
            if state.is_some() {
                self.seen.insert(key.clone());
            }
            let unseen = self.seen.contains(key) || it.begun_at.is_none_or(|at| at + UNSEEN < now);
            let (outcome, why, closed) = match state {
                Some(ImageState::Cached) if it.existed && it.outcome.is_none() => (Outcome::Existing, None, true),
                Some(ImageState::Cached) => (Outcome::Done, None, true),
                Some(ImageState::Failed { why, attempts, .. }) if *attempts > it.attempts => {
                    (Outcome::Failed, Some(why.clone()), false)
                }
                Some(_) => match idle {
                    Some(why) => (Outcome::Failed, Some(why.to_owned()), false),
                    None => continue,
                },
                None if unseen => (Outcome::Failed, Some("taken out of the node's queue".to_owned()), true),
                None => continue,
            };
            if it.outcome != Some(outcome) || it.closed != closed {
                end(it, outcome, why, closed);
                self.changed.insert(key.clone());
            }
        }
    }

    /// What the catalogue has not heard of, as much as one beat takes.
    pub(super) fn results(&self) -> Vec<WorkResult> {
        let untold = self.rows.values().filter(|it| !it.told);
        let result = |it: &Taken| {
            let (job, image, why) = (it.job.clone(), it.image.clone(), it.why.as_deref().map(shortened));
            Some(WorkResult { job, image, state: it.outcome?, why })
        };
        untold.filter_map(result).take(MAX_RESULTS).collect()
    }

    /// The catalogue has heard of these.
    pub(super) fn heard(&mut self, results: &[WorkResult]) {
        for result in results {
            let key = (result.job.clone(), result.image.clone());
            // What became of it since then is told with the next beat.
            let Some(it) = self.rows.get_mut(&key).filter(|it| it.outcome == Some(result.state)) else { continue };
            it.told = true;
            if it.closed {
                self.rows.remove(&key);
                for set in [&mut self.begun, &mut self.watched, &mut self.seen] {
                    set.remove(&key);
                }
                self.changed.remove(&key);
                self.forgotten.insert(key);
            } else {
                self.changed.insert(key);
            }
        }
    }

    /// Work without an outcome, and outcomes that the catalogue has not heard of.
    pub(super) fn counts(&self) -> (u64, u64) {
        let open = self.rows.values().filter(|it| it.outcome.is_none()).count();
        let untold = self.rows.values().filter(|it| it.outcome.is_some() && !it.told).count();
        (open as u64, untold as u64)
    }

    /// Whether an image that was queued has not been seen in the queue: after [`UNSEEN`] that says something, even if the
    /// status stays as it is.
    pub(super) fn misses_any(&self) -> bool {
        self.rows.iter().any(|(key, it)| !it.closed && self.watched.contains(key) && !self.seen.contains(key))
    }

    /// Whether images of jobs are watched, so that a change of the status matters.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

fn end(it: &mut Taken, outcome: Outcome, why: Option<String>, closed: bool) {
    (it.outcome, it.why, it.told, it.closed) = (Some(outcome), why, false, closed);
}
