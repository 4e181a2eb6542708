//! The time of the loop's turns, when the periodic passes begin, and how long the loop may sleep.

use super::reconciler::Reconciler;
use crate::agent::desired::Turn;
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

/// How often the status is renewed while images are in work.
const TICK: Duration = Duration::from_millis(500);
/// The clock may be set at any time: no sleep is longer.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// A clock that is set back by less is only being trimmed.
const TRIMMED: TimeDelta = TimeDelta::seconds(5);

// === impl Reconciler ===

impl Reconciler {
    /// The time of all that is decided until it is told anew.
    pub(super) async fn it_is(&mut self, now: DateTime<Utc>) {
        let before = std::mem::replace(&mut self.state.now, now);
        if now < before - TRIMMED {
            let minutes = (before - now).num_minutes();
            self.warn(format!("the clock was set back by {minutes} min: what waits for a time waits for it anew"));
            self.wait_anew().await;
        }
    }

    /// Whatever waits for a moment of a clock that was ahead would wait for as long as it was.
    async fn wait_anew(&mut self) {
        let now = self.state.now;
        self.set_clocks();
        self.next_look = now;
        self.state.put_off.values_mut().for_each(|it| it.until = it.until.min(now));
        self.state.gone.next = self.state.gone.next.map(|it| it.min(now));
        self.state.started_at = self.state.started_at.min(now);
        self.asking.iter_mut().for_each(|(_, since, _)| *since = (*since).min(now));
        self.scrubs.put_off.clear();
        self.nothing_is_ahead().await;
        self.reload().await;
    }

    /// No time in the index is later than it can be.
    pub(super) async fn nothing_is_ahead(&mut self) {
        let settings = &self.settings;
        let longest = settings.retry_interval_max.max(settings.refused_retry_interval).max(settings.retry_interval);
        let latest = TimeDelta::from_std(longest).ok().and_then(|it| self.state.now.checked_add_signed(it));
        let noted = self.index.nothing_is_ahead(self.state.now, latest.unwrap_or(DateTime::<Utc>::MAX_UTC)).await;
        self.note_trouble(noted);
    }

    pub(super) fn set_clocks(&mut self) {
        let now = self.state.now;
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

    /// Until something is due, or the status is to be renewed.
    pub(super) fn sleep_for(&self) -> Duration {
        let now = self.state.now;
        let busy = self.busy(now);
        let turn = Turn { now, busy: &busy, asked: &self.passes.asked(), at_once: self.settings.prefetch_on_queue };
        let next_fetch = if self.may_fetch() { turn.next(&self.state.queue) } else { None };
        let put_off = self.state.put_off.values().map(|it| it.until).filter(|it| *it > now).min();
        let prune = self.state.next_prune.filter(|_| !self.pruning);
        let look = Some(self.next_look).filter(|_| !self.looking);
        let (evict, read) = (self.next_eviction(now), self.next_read(now));
        let due = [
            self.state.next_prefetch,
            prune,
            self.state.next_scrub,
            look,
            next_fetch,
            put_off,
            evict,
            read,
            self.state.gone.next,
            self.state.ruled.desired.changes,
        ];
        let due = due.into_iter().flatten().min();
        let until = due.map_or(LONGEST_SLEEP, |at| (at - now).to_std().unwrap_or(Duration::ZERO));
        let still = self.state.board.is_empty() && self.jobs.is_empty() && !self.state.scrub.is_reading();
        let longest = if still { LONGEST_SLEEP } else { TICK };
        until.clamp(Duration::from_millis(10), longest)
    }
}
