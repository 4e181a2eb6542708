//! Which images this node uses most: starts of instances, as far as they are seen.
//!
//! A start is seen when a disk of an instance that was not seen on a base before stands on it. Each counts one, and half
//! as much every week later; so the order of images never changes by time alone. The base itself need not stay: its image
//! is remembered by the base's name.

use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// After so many seconds a start counts half: a week.
const HALF_LIFE: f64 = 7.0 * 86_400.0;
/// An instance that was not seen for so long (an unreadable disk, a host that was away) counts anew: a day.
const FORGOTTEN: TimeDelta = TimeDelta::days(1);
/// What is seen all the time is noted this often.
const RENEWED: TimeDelta = TimeDelta::hours(1);
/// The most bases and instances that are remembered; the least used and those not seen for the longest time go first.
const MOST_BASES: usize = 2_000;
const MOST_USERS: usize = 10_000;

/// An instance on a base: the base's name, and that of the instance's folder.
pub type User = (String, String);

/// How much a base was used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Use {
    /// Starts, older ones counted less, as of `at`.
    pub score: f64,
    /// When the last one was seen.
    pub at: DateTime<Utc>,
}

/// What is known of uses; as in the index.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Uses {
    /// By name of the base.
    pub bases: BTreeMap<String, Use>,
    /// When each was seen last.
    pub users: BTreeMap<User, DateTime<Utc>>,
}

/// What is to be written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Bases with a new score.
    pub bases: Vec<(String, Use)>,
    /// Users that are new or were seen again.
    pub users: Vec<(User, DateTime<Utc>)>,
    /// Bases that are not remembered any more.
    pub forgotten: Vec<String>,
    /// Users likewise.
    pub left: Vec<User>,
}

// === impl Use ===

impl Use {
    /// What it counts now. A clock that was set back counts as no time.
    pub fn score(&self, now: DateTime<Utc>) -> f64 {
        let age = (now - self.at).as_seconds_f64().max(0.0);
        self.score * (-age / HALF_LIFE).exp2()
    }
}

// === impl Uses ===

impl Uses {
    /// What this base's uses count now; 0 when there were none.
    pub fn score(&self, base: &str, now: DateTime<Utc>) -> f64 {
        self.bases.get(base).map_or(0.0, |it| it.score(now))
    }

    /// Instances that were seen at one look; what that changes.
    pub fn see(&mut self, seen: &BTreeSet<User>, now: DateTime<Utc>) -> Changes {
        let mut changes = Changes::default();
        let mut starts: BTreeMap<&str, u32> = BTreeMap::new();
        for user in seen {
            let before = self.users.get(user).copied();
            if before.is_none() {
                *starts.entry(&user.0).or_default() += 1;
            }
            // A time ahead of the clock is no news, and would never be renewed.
            if before.is_none_or(|at| now - at >= RENEWED || at > now) {
                self.users.insert(user.clone(), now);
                changes.users.push((user.clone(), now));
            }
        }
        for (base, count) in starts {
            let score = self.score(base, now) + f64::from(count);
            let it = Use { score, at: now };
            self.bases.insert(base.to_owned(), it);
            changes.bases.push((base.to_owned(), it));
        }
        self.forget(seen, now, &mut changes);
        changes
    }

    fn forget(&mut self, seen: &BTreeSet<User>, now: DateTime<Utc>, changes: &mut Changes) {
        let is_old = |it: &User, at: DateTime<Utc>| !seen.contains(it) && now - at > FORGOTTEN;
        let old = self.users.iter().filter(|(it, at)| is_old(it, **at));
        let mut left: Vec<User> = old.map(|(it, _)| it.clone()).collect();
        self.users.retain(|it, at| !is_old(it, *at));
        if let Some(over) = self.users.len().checked_sub(MOST_USERS).filter(|it| *it > 0) {
            let mut oldest: Vec<(DateTime<Utc>, User)> = self.users.iter().map(|(it, at)| (*at, it.clone())).collect();
            oldest.sort();
            for (_, it) in oldest.into_iter().take(over) {
                self.users.remove(&it);
                left.push(it);
            }
        }
        if let Some(over) = self.bases.len().checked_sub(MOST_BASES).filter(|it| *it > 0) {
            let mut least: Vec<(f64, String)> =
                self.bases.iter().map(|(it, used)| (used.score(now), it.clone())).collect();
            least.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
            for (_, it) in least.into_iter().take(over) {
                self.bases.remove(&it);
                changes.forgotten.push(it);
            }
        }
        changes.bases.retain(|(it, _)| self.bases.contains_key(it));
        changes.users.retain(|(it, _)| self.users.contains_key(it));
        changes.left = left;
    }
}

// === impl Changes ===

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.bases.is_empty() && self.users.is_empty() && self.forgotten.is_empty() && self.left.is_empty()
    }
}
