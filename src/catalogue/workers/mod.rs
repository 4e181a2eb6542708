//! What goes on behind the requests.
//!
//! ```text
//! beat     while this process writes data, it says so in `larder_processes`, until the last request has ended
//! recover  undoes uploads of processes that are dead, and own ones that could not be undone at once
//! sweep    removes data of deleted images that could not be removed at once, what dead writers left in the stores, and
//!          staged data that nothing waits for; frees images whose import a Glance left behind
//! tend     gives up what is left of old jobs, and prunes the change feed
//! imports  takes over imports that nobody works on
//! cache    fetches what is queued, and looks through the image cache
//! ```

mod cache;
mod imports;
mod recover;
#[cfg(test)]
mod tests;

pub(crate) use recover::recover;

use crate::base::chain;
use crate::catalogue::service::{Fault, Service};
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, interval_at};
use tokio_util::sync::CancellationToken;

/// How often leftovers are looked for.
const SWEEP: Duration = Duration::from_secs(300);

/// After this time they are looked for again: what a process leaves that is killed and comes back at once is too young at first.
const SOON: Duration = Duration::from_secs(75);

/// How often the fleet's tables are tended.
const TEND: Duration = Duration::from_secs(60);

/// Runs until `shutdown`. A step that fails is logged and comes again. No kind of work waits for another, nor does the end
/// wait for any: what is left half-done is found by the next start.
pub(crate) async fn run(service: Service, shutdown: CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = recoveries(&service) => {}
        () = tends(&service) => {}
        () = sweeps(&service) => {}
        () = cache::run(&service) => {}
        () = imports::run(&service) => {}
    }
    service.end_feeds();
    service.end_imports();
}

/// Gives signs of life until `end`, which is when no request takes data in any more. Nothing may hold them up, or others
/// take this process for dead.
pub(crate) async fn beats(service: Service, end: CancellationToken) {
    // Six beats to a lease: one that is late does no harm.
    let mut beat = patient((service.settings().lease / 6).max(Duration::from_millis(10)));
    loop {
        tokio::select! {
            () = end.cancelled() => return,
            _ = beat.tick() => told("beat", recover::beat(&service).await),
        }
    }
}

async fn recoveries(service: &Service) {
    let mut tick = patient((service.settings().lease / 2).max(Duration::from_millis(30)));
    loop {
        tick.tick().await;
        told("recover", recover::begin(service).await.map(drop));
    }
}

async fn tends(service: &Service) {
    let mut tick = patient(TEND);
    loop {
        tick.tick().await;
        told("tend", service.tend_fleet().await);
    }
}

async fn sweeps(service: &Service) {
    let mut regular = patient(SWEEP);
    let mut again = interval_at(Instant::now() + SOON, SWEEP);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = regular.tick() => {}
            _ = again.tick() => {}
        }
        told("sweep", sweep(service).await);
    }
}

fn patient(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

fn told(step: &str, outcome: Result<(), Fault>) {
    if let Err(error) = outcome {
        tracing::error!(step, error = %chain(&error), "a step in the background failed; it comes again");
    }
}

async fn sweep(service: &Service) -> Result<(), Fault> {
    service.remove_leftovers(None).await?;
    service.stores().tidy().await;
    service.sweep_staging().await?;
    service.free_stuck().await
}
