//! How long to wait after failures, and what to say about them. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// The first wait; it doubles.
const FIRST: Duration = Duration::from_secs(1);

/// The longest wait: the node is to be in the fleet again within half a minute after the catalogue is back, and a try
/// itself may take some seconds.
const LONGEST: Duration = Duration::from_secs(10);

/// How often an outage is spoken of.
const REMINDER: TimeDelta = TimeDelta::hours(1);

/// Failures in a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Patience {
    failures: u32,
    since: Option<DateTime<Utc>>,
    said: Option<DateTime<Utc>>,
}

/// What is worth a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Say {
    /// It has just begun.
    Loss,
    /// It lasts.
    Reminder,
    /// It was said already.
    Nothing,
}

// === impl Patience ===

impl Patience {
    /// One more failure: how long to wait. `random`, from 0 to 1, takes up to half of it, so that nodes that lost the
    /// catalogue together do not return together.
    pub(super) fn failed(&mut self, now: DateTime<Utc>, random: f64) -> (Duration, Say) {
        let doubled = FIRST.saturating_mul(2_u32.saturating_pow(self.failures.min(31)));
        self.failures = self.failures.saturating_add(1);
        self.since.get_or_insert(now);
        let say = match self.said {
            None => Say::Loss,
            // The clock may have been set back.
            Some(at) if now - at >= REMINDER || now < at => Say::Reminder,
            Some(_) => Say::Nothing,
        };
        if say != Say::Nothing {
            self.said = Some(now);
        }
        (doubled.min(LONGEST).mul_f64(1.0 - random.clamp(0.0, 1.0) / 2.0), say)
    }

    /// It works (again); how long it did not, if it did not.
    pub(super) fn worked(&mut self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let since = self.since;
        *self = Self::default();
        since.map(|it| (now - it).max(TimeDelta::zero()))
    }

    /// Since when it fails.
    pub(super) fn since(&self) -> Option<DateTime<Utc>> {
        self.since
    }
}
