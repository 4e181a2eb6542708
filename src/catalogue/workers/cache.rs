//! The image cache of this node.

use crate::base::chain;
use crate::catalogue::service::Service;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

/// How often what could not be fetched is tried again, and what another program has queued is found.
const RETRY: Duration = Duration::from_secs(60);

/// How often the cache is looked through.
const TIDY: Duration = Duration::from_secs(300);

/// Fetches and tidies for ever; without a cache it only waits.
pub(super) async fn run(service: &Service) {
    if service.has_cache() {
        tokio::join!(fetch(service), tidy(service));
    }
    std::future::pending().await
}

async fn fetch(service: &Service) {
    let mut retry = interval(RETRY);
    retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = service.anything_to_fetch() => {}
            _ = retry.tick() => {}
        }
        if let Err(error) = service.prefetch().await {
            tracing::error!(error = %chain(&error), "the queue of the image cache cannot be worked off");
        }
    }
}

async fn tidy(service: &Service) {
    let mut again = interval_at(Instant::now() + TIDY, TIDY);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        if let Err(error) = service.review_cache().await {
            tracing::error!(error = %chain(&error), "the image cache cannot be looked through");
        }
        again.tick().await;
        if let Err(error) = service.clean_cache().await {
            tracing::error!(error = %chain(&error), "the image cache cannot be cleaned");
        }
        if let Err(error) = service.prune_cache().await {
            tracing::error!(error = %chain(&error), "the image cache cannot be pruned");
        }
    }
}
