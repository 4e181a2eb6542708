//! What a back end must do, point by point, tried on a store that runs: by the tests of every back end, and by operators
//! on theirs (`larder catalogue store-check`).
//!
//! The suite writes under image ids of its own, which are random, and removes what it wrote. It holds a few MiB of memory
//! whatever it writes.
//!
//! ```text
//! check() ── for each point ──→ points/*.rs ── through Bench: stage, put, same, gone ──→ the store
//!                                     └─ what it wrote is removed, and must be gone
//! ```

mod bench;
mod pattern;
mod points;

use crate::store::{Store, StoreError};
use bench::Bench;
use std::time::{Duration, Instant};

/// How far the suite goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Bytes of the largest data that is written.
    pub largest: u64,
    /// The longest that one point may take.
    pub patience: Duration,
}

/// What became of one point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its name: short, of the letters a to z and `-`.
    pub point: &'static str,
    /// What must hold.
    pub claim: &'static str,
    /// What does not hold; none when all is well.
    pub wrong: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// What the suite found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The store takes no data, as it says itself, so that there is nothing to try.
    ReadOnly,
    /// The points, in the order in which they were tried.
    Tried(Vec<Outcome>),
    /// Likewise, up to the one that was broken off.
    Stopped(Vec<Outcome>),
}

/// Tries every point on the store; `each` hears of it as soon as it is done.
pub async fn check(store: &dyn Store, extent: &Extent, each: impl FnMut(&Outcome) + Send) -> Report {
    check_until(store, extent, each, std::future::pending()).await
}

/// Likewise, until `stop` is there: what was written is removed then, too.
pub async fn check_until(
    store: &dyn Store,
    extent: &Extent,
    mut each: impl FnMut(&Outcome) + Send,
    stop: impl Future<Output = ()> + Send,
) -> Report {
    if takes_no_data(store).await {
        return Report::ReadOnly;
    }
    let mut stop = std::pin::pin!(stop);
    let mut outcomes = Vec::with_capacity(points::ALL.len());
    for point in points::ALL {
        let began = Instant::now();
        let bench = Bench::new(store, extent);
        let tried = tokio::select! {
            tried = tokio::time::timeout(extent.patience, (point.hold)(&bench)) => tried,
            () = &mut stop => {
                let _ = tokio::time::timeout(extent.patience, bench.sweep()).await;
                return Report::Stopped(outcomes);
            }
        };
        let tried = tried.unwrap_or_else(|_| Err(format!("it is not done after {} s", extent.patience.as_secs())));
        let swept = tokio::time::timeout(extent.patience, bench.sweep()).await;
        let swept = swept.unwrap_or_else(|_| Err("what it wrote cannot be removed in time".to_owned()));
        let wrong = tried.and(swept).err();
        let outcome = Outcome { point: point.name, claim: point.claim, wrong, took: began.elapsed() };
        each(&outcome);
        outcomes.push(outcome);
    }
    Report::Tried(outcomes)
}

async fn takes_no_data(store: &dyn Store) -> bool {
    let id = crate::image::ImageId::from_random(rand::random());
    matches!(store.write(&id, Some(1)).await.map(drop), Err(StoreError::ReadOnly { .. }))
}

// === impl Extent ===

impl Default for Extent {
    fn default() -> Self {
        Self { largest: 48 << 20, patience: Duration::from_secs(300) }
    }
}

// === impl Report ===

impl Report {
    /// The points that do not hold, one on a line with what is wrong; none when all do.
    pub fn faults(&self) -> Option<String> {
        let (Self::Tried(outcomes) | Self::Stopped(outcomes)) = self else { return None };
        let wrong = outcomes.iter().filter_map(|it| it.wrong.as_ref().map(|why| format!("{}: {why}", it.point)));
        Some(wrong.collect::<Vec<_>>().join("\n")).filter(|it| !it.is_empty())
    }
}
