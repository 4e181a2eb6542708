//! States of images in words.

use crate::admin::ImageState;
use crate::base::ByteSize;
use crate::commands::output::{ago, per_cent, rate, span, until};
use chrono::{DateTime, TimeDelta, Utc};

/// `fetching 43 % of 2.0 GiB at 210 MB/s, 6 s left`.
pub(super) fn in_words(state: &ImageState, now: DateTime<Utc>) -> String {
    match state {
        ImageState::Queued { since } => format!("queued {}", ago(*since, now)),
        ImageState::WaitingForLock => "waiting for nova, which holds its lock".to_owned(),
        ImageState::Held { .. } => "held, goes on by itself".to_owned(),
        ImageState::Fetching { done, total, rate } => fetching(*done, *total, *rate),
        ImageState::Verifying => "verifying".to_owned(),
        ImageState::Converting { done, total } => {
            format!("converting to raw, {} % of {}", per_cent(*done, *total), ByteSize(*total))
        }
        ImageState::Cached => "cached".to_owned(),
        ImageState::Failed { attempts, retry_at, .. } => {
            let times = if *attempts == 1 { "once".to_owned() } else { format!("{attempts} times") };
            match retry_at {
                Some(at) => format!("failed {times}, tried again {}", until(*at, now)),
                None => format!("failed {times}, not tried again before something changes"),
            }
        }
    }
}

/// Why it failed, if it did.
pub(super) fn failure(state: &ImageState) -> Option<&str> {
    match state {
        ImageState::Failed { why, .. } => Some(why),
        _ => None,
    }
}

/// Why it is not done, if it is not: it failed, or stands still.
pub(super) fn trouble(state: &ImageState) -> Option<&str> {
    match state {
        ImageState::Held { why } => Some(why),
        state => failure(state),
    }
}

fn fetching(done: u64, total: Option<u64>, speed: u64) -> String {
    let Some(total) = total else { return format!("fetching, {} so far, at {}", ByteSize(done), rate(speed)) };
    let mut text = format!("fetching {} % of {} at {}", per_cent(done, total), ByteSize(total), rate(speed));
    let left = total.saturating_sub(done).checked_div(speed).and_then(|seconds| i64::try_from(seconds).ok());
    if let Some(left) = left.and_then(TimeDelta::try_seconds) {
        text.push_str(&format!(", {} left", span(left)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_read_well() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let say = |state: ImageState| in_words(&state, now);
        assert_eq!(
            say(ImageState::Fetching { done: 430_000_000, total: Some(1_000_000_000), rate: 210_000_000 }),
            "fetching 43 % of 953.7 MiB at 210 MB/s, 2 s left"
        );
        assert_eq!(say(ImageState::Fetching { done: 5, total: Some(10), rate: 0 }), "fetching 50 % of 10 B at 0 B/s");
        assert_eq!(say(ImageState::Queued { since: now - TimeDelta::seconds(90) }), "queued 1 min 30 s ago");
        let failed = |attempts, retry_at| ImageState::Failed { why: "x".into(), attempts, retry_at };
        assert_eq!(say(failed(2, Some(now + TimeDelta::seconds(30)))), "failed 2 times, tried again in 30 s");
        assert_eq!(say(failed(1, None)), "failed once, not tried again before something changes");
    }
}
