//! When the periodic passes begin.

use crate::runtime::schedule::Schedule;
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// An interval, or a schedule in its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period<'a> {
    /// Seconds; 0 and less: off.
    pub(super) interval: i64,
    pub(super) schedule: Option<&'a Schedule>,
    pub(super) local_time: bool,
    /// A pass begins up to this much later.
    pub(super) jitter: Duration,
}

// === impl Period ===

impl Period<'_> {
    /// When the next pass begins after `now`; `random` from 0 to 1.
    pub(super) fn next(&self, now: DateTime<Utc>, random: f64) -> Option<DateTime<Utc>> {
        let at = match self.schedule {
            Some(schedule) => schedule.next(now, self.local_time)?,
            None if self.interval > 0 => now + TimeDelta::try_seconds(self.interval)?,
            None => return None,
        };
        let jitter = self.jitter.mul_f64(random.clamp(0.0, 1.0));
        at.checked_add_signed(TimeDelta::from_std(jitter).ok()?)
    }
}
