//! Holds a stream, or many together, to so many bytes a second.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// A limit that all who take from it share; without one, nobody waits.
#[derive(Debug, Default)]
pub struct Throttle {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rate: Option<u64>,
    /// Until when what was taken lasts.
    paid_until: Option<Instant>,
}

/// What was not taken is kept for so long.
const BURST: Duration = Duration::from_millis(200);
/// A changed limit is heeded within this time.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

// === impl Throttle ===

impl Throttle {
    /// Bytes a second from now on; none for no limit.
    pub fn set(&self, rate: Option<u64>) {
        self.lock().rate = rate.map(|it| it.max(1));
    }

    /// The limit now.
    pub fn rate(&self) -> Option<u64> {
        self.lock().rate
    }

    /// Waits until `bytes` more may pass.
    pub async fn take(&self, bytes: u64) {
        let Some(until) = self.pay(bytes, Instant::now()) else { return };
        loop {
            let now = Instant::now();
            if now >= until || self.rate().is_none() {
                return;
            }
            sleep_until(until.min(now + LONGEST_WAIT)).await;
        }
    }

    fn pay(&self, bytes: u64, now: Instant) -> Option<Instant> {
        let mut state = self.lock();
        let rate = state.rate?;
        let cost = Duration::try_from_secs_f64(bytes as f64 / rate as f64).unwrap_or(Duration::from_secs(3600));
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let until = state.paid_until.map_or(earliest, |it| it.max(earliest)) + cost;
        state.paid_until = Some(until);
        Some(until)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn all_together_stay_within_the_limit() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        assert_eq!(throttle.pay(1 << 40, start), None, "no limit, no wait");
        throttle.set(Some(1 << 20));
        // 10 MiB by whoever takes them, at 1 MiB/s, of which the burst passes at once.
        let until = (0..160).filter_map(|_| throttle.pay(64 << 10, start)).last().unwrap();
        assert_eq!(until - start, Duration::from_millis(9800));
        // What nobody takes is not saved up.
        let later = start + Duration::from_secs(3600);
        assert_eq!(throttle.pay(1 << 20, later).map(|it| it - later), Some(Duration::from_millis(800)));
        throttle.set(Some(0));
        assert!(throttle.pay(u64::MAX, later).is_some(), "no rate is too low to count");
    }

    #[tokio::test]
    async fn a_limit_that_is_lifted_wakes_those_who_wait() {
        let throttle = Arc::new(Throttle::default());
        throttle.set(Some(1));
        let waits = tokio::spawn({
            let throttle = throttle.clone();
            async move { throttle.take(64 << 10).await }
        });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        throttle.set(None);
        tokio::time::timeout(Duration::from_secs(60), waits).await.unwrap().unwrap();
    }
}
