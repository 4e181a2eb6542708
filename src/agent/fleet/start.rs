//! Starts what this node does for the fleet.

use super::{
    hints::Hints,
    member::{self, Parts},
    presence,
};
use std::sync::Arc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Both parts run until `shutdown`, on this tracker.
pub(in crate::agent) fn start(parts: Parts, tasks: &TaskTracker, shutdown: &CancellationToken) {
    let hints = Arc::new(Hints::new(parts.bell.clone()));
    let watch = presence::Watch {
        settings: parts.settings.clone(),
        status: parts.control.status.clone(),
        catalogue: parts.control.catalogue.clone(),
        commands: parts.control.commands.clone(),
        index: parts.index.clone(),
        hints: hints.clone(),
    };
    // What is asked beside is of no use once the agent stops.
    let (end, ended) = (shutdown.clone(), shutdown.clone());
    tasks.spawn(async move { ended.run_until_cancelled(presence::watch(watch, end)).await });
    tasks.spawn(member::run(parts, hints, shutdown.clone()));
}
