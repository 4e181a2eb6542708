//! Cron expressions in the form that operators write: five fields, numeric days of the week with Sunday as 0 or 7,
//! names, ranges, steps, lists, `@hourly` and its like.
//!
//! The `cron` crate does the calendar; its own dialect (seconds first, 1 = Sunday, day of month AND day of week,
//! doubled and skipped hours when clocks change) stays inside.

mod fields;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Duration, Local, LocalResult, NaiveDateTime, TimeZone, Utc};
use fields::Fields;
use std::{fmt, str::FromStr};

/// When something is done: a cron expression of five fields.
///
/// Day of month and day of week: when both are restricted, either suffices (Vixie cron's rule; a field that starts
/// with `*` is not a restriction).
#[derive(Clone, Debug)]
pub struct Schedule {
    text: String,
    /// One, or two of which the earlier counts.
    calendars: Vec<cron::Schedule>,
    /// The hour is `*`: then changes of the clock are followed in real time.
    every_hour: bool,
}

/// The text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a schedule: {problem}")]
pub struct InvalidSchedule {
    /// What was given, cut to 80 characters.
    pub text: String,
    /// What is wrong with it.
    pub problem: String,
}

// === impl Schedule ===

impl Schedule {
    /// The first time after `after`; none if there is none before the year 2100.
    ///
    /// In local time a moment that the clocks skip is made up for when they go on, and one that comes twice counts
    /// once; schedules of every hour go on through both.
    pub fn next(&self, after: DateTime<Utc>, local_time: bool) -> Option<DateTime<Utc>> {
        if local_time { self.next_in(&Local, after) } else { self.next_in(&Utc, after) }
    }

    /// The same, in any time zone.
    pub fn next_in<Z: TimeZone>(&self, zone: &Z, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.calendars.iter().filter_map(|it| self.next_of(it, zone, after)).min()
    }

    fn next_of<Z: TimeZone>(&self, calendar: &cron::Schedule, zone: &Z, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // On the wall clock, as if it never changed; then back to real time. Clocks change by less than three hours,
        // so that is how far a later wall time may be the earlier moment.
        let wall = after.with_timezone(zone).naive_local().and_utc();
        let mut best: Option<(DateTime<Utc>, DateTime<Utc>)> = None;
        for candidate in calendar.after(&(wall - Duration::hours(3))) {
            if best.is_some_and(|(_, found_at)| candidate - found_at > Duration::hours(3)) {
                break;
            }
            let moments = self.moments(zone, candidate.naive_utc());
            if let Some(moment) = moments.into_iter().flatten().filter(|it| *it > after).min() {
                best = Some(best.map_or((moment, candidate), |(old, found_at)| (old.min(moment), found_at)));
            }
        }
        best.map(|(moment, _)| moment)
    }

    /// The moments at which the wall clock shows `wall` and this schedule is meant.
    fn moments<Z: TimeZone>(&self, zone: &Z, wall: NaiveDateTime) -> [Option<DateTime<Utc>>; 2] {
        match zone.from_local_datetime(&wall) {
            LocalResult::Single(it) => [Some(it.with_timezone(&Utc)), None],
            LocalResult::Ambiguous(first, second) => {
                [Some(first.with_timezone(&Utc)), self.every_hour.then(|| second.with_timezone(&Utc))]
            }
            LocalResult::None if self.every_hour => [None, None],
            LocalResult::None => [after_gap(zone, wall), None],
        }
    }

    fn never_comes(&self) -> bool {
        let start = DateTime::<Utc>::UNIX_EPOCH;
        self.next_in(&Utc, start).is_none()
    }
}

/// The moment at which the wall clock jumps over `wall`; gaps begin and end at full quarters of an hour.
fn after_gap<Z: TimeZone>(zone: &Z, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
    let quarter = wall.and_utc().timestamp().div_euclid(900) + 1;
    (quarter..quarter + 24 * 4)
        .filter_map(|it| DateTime::from_timestamp(it * 900, 0))
        .find_map(|it| zone.from_local_datetime(&it.naive_utc()).earliest())
        .map(|it| it.with_timezone(&Utc))
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Schedule {
    type Err = InvalidSchedule;

    fn from_str(text: &str) -> Result<Self, InvalidSchedule> {
        let text = text.trim();
        let invalid = |problem: String| InvalidSchedule { text: text.chars().take(80).collect(), problem };
        let fields = Fields::parse(text).map_err(invalid)?;
        let calendars = fields
            .expressions()
            .iter()
            .map(|it| cron::Schedule::from_str(it))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| invalid(error.to_string()))?;
        let schedule = Self { text: text.to_owned(), calendars, every_hour: fields.every_hour() };
        if schedule.never_comes() {
            return Err(invalid("such a day never comes".to_owned()));
        }
        Ok(schedule)
    }
}
