//! When the periodic passes begin.

use super::reconciler::Reconciler;
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

// === impl Reconciler ===

impl Reconciler {
    pub(super) fn set_clocks(&mut self) {
        let now = Utc::now();
        self.set_prefetch_clock(now);
        self.set_prune_clock(now);
        self.set_scrub_clock(now);
    }

    pub(super) fn set_scrub_clock(&mut self, now: DateTime<Utc>) {
        let settings = &self.settings;
        let schedule = settings.scrub_schedule.as_ref();
        let period = Period { interval: 0, schedule, local_time: settings.schedule_local_time, jitter: Duration::ZERO };
        self.state.next_scrub = period.next(now, 0.0);
    }

    pub(super) fn set_prefetch_clock(&mut self, now: DateTime<Utc>) {
        let settings = &self.settings;
        let period = Period {
            interval: settings.cache_prefetcher_interval,
            schedule: settings.prefetch_schedule.as_ref(),
            local_time: settings.schedule_local_time,
            jitter: settings.prefetch_jitter,
        };
        self.state.next_prefetch = period.next(now, rand::random());
    }

    pub(super) fn set_prune_clock(&mut self, now: DateTime<Utc>) {
        let settings = &self.settings;
        let period = Period {
            interval: settings.prune_interval,
            schedule: settings.prune_schedule.as_ref(),
            local_time: settings.schedule_local_time,
            jitter: Duration::ZERO,
        };
        self.state.next_prune = period.next(now, 0.0);
    }
}
