use super::{Failure, Turn, Waits, retry_at};
use crate::agent::index::Queued;
use crate::image::ImageId;
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use std::{collections::HashSet, time::Duration};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_800_000_000_000).unwrap()
}

fn queued(number: u128, retry_in: Option<i64>) -> Queued {
    let retry_at = retry_in.map(|it| now() + TimeDelta::seconds(it));
    Queued {
        id: ImageId::from_random(number),
        since: now(),
        priority: crate::admin::Priority::default(),
        attempts: 0,
        retry_at,
        last_error: None,
        for_rules: false,
    }
}

#[test]
fn a_failure_holds_nobody_up() {
    let queue = [queued(1, Some(60)), queued(2, None), queued(3, Some(-1)), queued(4, None)];
    let id = |at: usize| queue[at].id.clone();
    let (busy, nobody) = (HashSet::from([id(1)]), HashSet::new());
    let turn = Turn { now: now(), busy: &busy, asked: &nobody, at_once: true };
    assert_eq!(turn.due(&queue, 9), [id(2), id(3)]);
    assert_eq!(turn.due(&queue, 1), [id(2)]);
    assert_eq!(turn.next(&queue[..2]), Some(now() + TimeDelta::seconds(60)));
    assert_eq!(turn.next(&queue[1..2]), None);

    let asked = HashSet::from([id(0)]);
    assert_eq!(Turn { asked: &asked, ..turn }.due(&queue, 2), [id(0), id(2)], "a pass does not wait");
    assert_eq!(Turn { asked: &asked, at_once: false, ..turn }.due(&queue, 9), [id(0)]);
    assert_eq!(Turn { at_once: false, ..turn }.next(&queue), None, "only a pass brings it");
    let tried = [Queued { attempts: 1, ..queued(5, Some(9)) }];
    assert_eq!(Turn { at_once: false, ..turn }.next(&tried), Some(now() + TimeDelta::seconds(9)));
}

proptest! {
    #[test]
    fn waits_grow_up_to_a_limit(attempts in 1_u32..200, random in 0.0_f64..=1.0, lasting in any::<bool>()) {
        let waits = Waits {
            first: Duration::from_secs(30),
            longest: Duration::from_secs(3600),
            lasting: Duration::from_secs(21_600),
        };
        let failure = if lasting { Failure::Lasting } else { Failure::Passing };
        let wait = (retry_at(now(), failure, attempts, &waits, random) - now()).as_seconds_f64();
        let full = if lasting { 21_600.0 } else { 30.0 * 2_f64.powi(attempts.min(30) as i32 - 1) };
        let full = if lasting { full } else { full.min(3600.0) };
        prop_assert!(wait <= full + 0.001 && wait >= full * 0.8 - 0.001, "{wait} of {full}");
    }
}
