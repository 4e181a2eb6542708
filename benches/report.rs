//! One line a figure.

use std::time::{Duration, Instant};

/// The best of `rounds`, and what the last one returned: noise of a shared machine only ever slows.
pub(crate) fn best(rounds: usize, mut once: impl FnMut()) -> Duration {
    (0..rounds)
        .map(|_| {
            let start = Instant::now();
            once();
            start.elapsed()
        })
        .min()
        .unwrap()
}

/// A rate against the rate of the limit; `aim` is the least ratio.
pub(crate) fn rate(what: &str, bytes: u64, ours: Duration, limit: Duration, aim: f64) {
    let mb = |t: Duration| format!("{:.0} MB/s", bytes as f64 / 1e6 / t.as_secs_f64());
    let ratio = limit.as_secs_f64() / ours.as_secs_f64();
    println!("{what:<44} {:>14} {:>14} {ratio:>8.2} {:>8}", mb(ours), mb(limit), format!(">={aim}"));
}

/// A time or a size against its bound.
pub(crate) fn bound(what: &str, ours: f64, limit: f64, unit: &str) {
    let value = |v: f64| format!("{v:.2} {unit}");
    println!("{what:<44} {:>14} {:>14} {:>8.2} {:>8}", value(ours), value(limit), ours / limit, "<=1");
}
