use super::Schedule;
use chrono::{DateTime, Datelike, Duration, FixedOffset, NaiveDate, NaiveDateTime, Offset, TimeZone, Timelike, Utc};
use proptest::prelude::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn next(schedule: &str, after: &str) -> String {
    let schedule: Schedule = schedule.parse().unwrap();
    schedule.next(at(after), false).unwrap().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Friday, 20 November 2026.
const FRIDAY: &str = "2026-11-20T12:00:00Z";

#[test]
fn five_fields_mean_what_operators_mean() {
    assert_eq!(next("*/5 * * * *", FRIDAY), "2026-11-20T12:05:00Z");
    assert_eq!(next("0 3 * * 1", FRIDAY), "2026-11-23T03:00:00Z", "1 is Monday");
    assert_eq!(next("0 3 * * 0", FRIDAY), "2026-11-22T03:00:00Z", "0 is Sunday");
    assert_eq!(next("0 3 * * 7", FRIDAY), "2026-11-22T03:00:00Z", "7 is Sunday");
    assert_eq!(next("0 3 * * sat-7", FRIDAY), "2026-11-21T03:00:00Z");
    assert_eq!(next("0 0 13 * Fri", FRIDAY), "2026-11-27T00:00:00Z", "the 13th or a Friday");
    assert_eq!(next("0 0 */2 * Fri", FRIDAY), "2026-11-27T00:00:00Z", "both, when one starts with a star");
    assert_eq!(next("30 2,14 1 JAN *", FRIDAY), "2027-01-01T02:30:00Z");
    assert_eq!(next("10-20/5 12 * * *", FRIDAY), "2026-11-20T12:10:00Z");
    assert_eq!(next("@hourly", FRIDAY), "2026-11-20T13:00:00Z");
    assert_eq!(next("@weekly", FRIDAY), "2026-11-22T00:00:00Z");
    assert_eq!(next("0 0 29 2 *", FRIDAY), "2028-02-29T00:00:00Z");
}

#[test]
fn errors_say_what_to_write() {
    let problem = |text: &str| text.parse::<Schedule>().unwrap_err().to_string();
    assert!(problem("* * * *").contains("it has 4 fields, and takes five"));
    assert!(problem("0 0 3 * * 1").contains("it has 6 fields"));
    assert!(problem("60 * * * *").contains("'60' is no minute (0 to 59)"));
    assert!(problem("* * * foo *").contains("'foo' is no month (1 to 12 or jan to dec)"));
    assert!(problem("5/15 * * * *").contains("a step takes a range: '5-59/15'"));
    assert!(problem("*/0 * * * *").contains("the step of '*/0'"));
    assert!(problem("* 22-4 * * *").contains("runs backwards"));
    assert!(problem("0 0 31 2 *").contains("never comes"));
    assert!(problem("@reboot").contains("@hourly"));
    assert!(problem("").contains("it has 0 fields"));
    assert!(problem("1,,2 * * * *").contains("'' is no minute"));
    assert!(problem("+1 * * * *").contains("'+1' is no minute"));
}

/// Berlin in 2026, without a time zone database: summer time from 29 March 01:00 UTC to 25 October 01:00 UTC.
#[derive(Clone, Copy, Debug)]
struct Berlin;

impl TimeZone for Berlin {
    type Offset = FixedOffset;

    fn from_offset(_: &FixedOffset) -> Self {
        Self
    }

    fn offset_from_local_date(&self, _: &NaiveDate) -> chrono::LocalResult<FixedOffset> {
        unreachable!("not used by chrono for date-times")
    }

    fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> chrono::LocalResult<FixedOffset> {
        let fits = |hours: i32| {
            let offset = FixedOffset::east_opt(hours * 3600).unwrap();
            (self.offset_from_utc_datetime(&(*local - offset)) == offset).then_some(offset)
        };
        match (fits(2), fits(1)) {
            (Some(a), Some(b)) => chrono::LocalResult::Ambiguous(a, b),
            (Some(a), None) | (None, Some(a)) => chrono::LocalResult::Single(a),
            (None, None) => chrono::LocalResult::None,
        }
    }

    fn offset_from_utc_date(&self, _: &NaiveDate) -> FixedOffset {
        unreachable!("not used by chrono for date-times")
    }

    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> FixedOffset {
        let summer = (at("2026-03-29T01:00:00Z").naive_utc()..at("2026-10-25T01:00:00Z").naive_utc()).contains(utc);
        FixedOffset::east_opt(if summer { 7200 } else { 3600 }).unwrap().fix()
    }
}

fn berlin(schedule: &str, after: &str, count: usize) -> Vec<String> {
    let schedule: Schedule = schedule.parse().unwrap();
    let mut now = at(after);
    (0..count)
        .map(|_| {
            now = schedule.next_in(&Berlin, now).unwrap();
            now.format("%m-%dT%H:%MZ").to_string()
        })
        .collect()
}

#[test]
fn a_skipped_time_is_made_up_for_and_a_doubled_one_counts_once() {
    assert_eq!(berlin("30 2 * * *", "2026-03-28T00:00:00Z", 3), ["03-28T01:30Z", "03-29T01:00Z", "03-30T00:30Z"]);
    assert_eq!(berlin("30 2 * * *", "2026-10-24T00:00:00Z", 3), ["10-24T00:30Z", "10-25T00:30Z", "10-26T01:30Z"]);
    assert_eq!(berlin("0 * * * *", "2026-10-25T00:30:00Z", 2), ["10-25T01:00Z", "10-25T02:00Z"]);
    assert_eq!(berlin("0 * * * *", "2026-03-29T00:30:00Z", 2), ["03-29T01:00Z", "03-29T02:00Z"]);
}

/// A field, and the values it stands for.
fn field(first: u32, last: u32) -> impl Strategy<Value = (String, Vec<u32>)> {
    prop_oneof![
        Just(("*".to_owned(), (first..=last).collect())),
        (first..=last).prop_map(|it| (it.to_string(), vec![it])),
        (1..=last).prop_map(move |step| (format!("*/{step}"), (first..=last).step_by(step as usize).collect())),
        (first..=last, first..=last, 1..=last).prop_map(|(a, b, step)| {
            let (a, b) = (a.min(b), a.max(b));
            (format!("{a}-{b}/{step}"), (a..=b).step_by(step as usize).collect())
        }),
    ]
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in ".{0,40}") {
        let _ = text.parse::<Schedule>();
    }

    #[test]
    fn the_next_time_is_the_first_that_all_fields_allow(
        minute in field(0, 59), hour in field(0, 23), weekday in field(0, 6), start in 1_700_000_000_i64..1_900_000_000
    ) {
        let text = format!("{} {} * * {}", minute.0, hour.0, weekday.0);
        let schedule: Schedule = text.parse().unwrap();
        let start = DateTime::from_timestamp(start, 0).unwrap();
        let fits = |it: DateTime<Utc>| {
            minute.1.contains(&it.minute()) && hour.1.contains(&it.hour())
                && weekday.1.contains(&it.weekday().num_days_from_sunday())
        };
        let mut expected = start.with_second(0).unwrap() + Duration::minutes(1);
        while !fits(expected) {
            expected += Duration::minutes(1);
        }
        prop_assert_eq!(schedule.next(start, false), Some(expected), "{}", text);
    }
}
