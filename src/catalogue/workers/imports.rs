//! Imports.

use crate::base::chain;
use crate::catalogue::service::Service;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often imports are looked for that other processes took in or gave back.
const LOOK: Duration = Duration::from_secs(2);

/// Takes imports over for ever.
pub(super) async fn run(service: &Service) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = service.any_import() => {}
            _ = look.tick() => {}
        }
        if let Err(error) = service.take_imports().await {
            tracing::error!(error = %chain(&error), "imports cannot be taken over now; they are looked for again");
        }
    }
}
