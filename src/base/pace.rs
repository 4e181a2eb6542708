//! So many bytes a second, and no more.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// Spreads work over time, for a thread that may sleep.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Bytes a second; 0 for as many as there are.
    rate: u64,
    free_at: Instant,
}

/// Whoever wants it to stop waits no longer than this.
const SLICE: Duration = Duration::from_millis(50);

// === impl Pace ===

impl Pace {
    /// At most `rate` bytes a second; 0 for no limit.
    pub fn new(rate: u64) -> Self {
        Self { rate, free_at: Instant::now() }
    }

    /// Sleeps until `bytes` may be worked on, or until `stop` says so.
    pub fn take(&mut self, bytes: u64, stop: &dyn Fn() -> bool) {
        let mut wait = self.wait(Instant::now(), bytes);
        while !wait.is_zero() && !stop() {
            let slice = wait.min(SLICE);
            sleep(slice);
            wait -= slice;
        }
    }

    /// How long `bytes` have to wait at `now`; what was not used is not saved up.
    fn wait(&mut self, now: Instant, bytes: u64) -> Duration {
        if self.rate == 0 {
            return Duration::ZERO;
        }
        let from = self.free_at.max(now);
        let spent = u128::from(bytes) * 1_000_000_000 / u128::from(self.rate);
        self.free_at = from + Duration::from_nanos(u64::try_from(spent).unwrap_or(u64::MAX));
        from - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_spread_over_time_and_idleness_is_not_saved_up() {
        let start = Instant::now();
        let mut pace = Pace { rate: 1000, free_at: start };
        assert_eq!(pace.wait(start, 500), Duration::ZERO);
        assert_eq!(pace.wait(start, 1000), Duration::from_millis(500));
        assert_eq!(pace.wait(start + Duration::from_secs(1), 1), Duration::from_millis(500));
        let later = start + Duration::from_secs(60);
        assert_eq!(pace.wait(later, 2000), Duration::ZERO);
        assert_eq!(pace.wait(later, 1), Duration::from_secs(2));
        assert_eq!(Pace::new(0).wait(later, u64::MAX), Duration::ZERO);
    }
}
