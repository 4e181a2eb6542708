//! What goes on behind the requests.
//!
//! ```text
//! beat     while this process writes data, it says so in `larder_processes`
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

/// Runs until `shutdown`. A step that fails is logged and comes again. No kind of work waits for another: a store that
/// hangs must hold up no sign of life, or others take this process for dead.
pub(crate) async fn run(service: Service, shutdown: CancellationToken) {
    tokio::select! {
        () = chores(&service, &shutdown) => {}
        () = beats(&service) => {}
        () = sweeps(&service) => {}
        () = cache::run(&service) => {}
        () = imports::run(&service) => {}
    }
}

async fn chores(service: &Service, shutdown: &CancellationToken) {
    let mut recover_tick = patient((service.settings().lease / 2).max(Duration::from_millis(30)));
    let mut tend = patient(TEND);
    loop {
        let (step, outcome) = tokio::select! {
            () = shutdown.cancelled() => {
                service.end_feeds();
                service.end_imports();
                return;
            }
            _ = tend.tick() => ("tend", service.tend_fleet().await),
            _ = recover_tick.tick() => ("recover", recover(service).await),
        };
        told(step, outcome);
    }
}

async fn beats(service: &Service) {
    // Six beats to a lease: one that is late does no harm.
    let mut beat = patient((service.settings().lease / 6).max(Duration::from_millis(10)));
    loop {
        beat.tick().await;
        told("beat", recover::beat(service).await);
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
