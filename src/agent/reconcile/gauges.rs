//! The status as metrics.

use crate::admin::{ImageState, Status};
use crate::agent::index::Known;
use std::collections::{BTreeMap, HashMap};

/// Sets the gauges; how many images are in each state.
pub(super) fn tell(status: &Status, known: &BTreeMap<String, Known>) -> HashMap<&'static str, u64> {
    let mut count: HashMap<&'static str, u64> = HashMap::new();
    for it in &status.images {
        *count.entry(label(&it.state)).or_default() += 1;
    }
    for state in STATES {
        metrics::gauge!("larder_images", "state" => state).set(count.get(state).copied().unwrap_or(0) as f64);
    }
    let damaged = known.values().filter(|it| it.verified.as_ref().is_some_and(|it| it.damage.is_some()));
    metrics::gauge!("larder_damaged_bases").set(damaged.count() as f64);
    metrics::gauge!("larder_base_files").set(status.bases.len() as f64);
    metrics::gauge!("larder_base_used_bytes").set(status.room.used as f64);
    metrics::gauge!("larder_promised_bytes").set(status.room.promised as f64);
    metrics::gauge!("larder_base_free_bytes").set(status.room.free as f64);
    count
}

const STATES: [&str; 8] =
    ["queued", "waiting_for_lock", "held", "fetching", "verifying", "converting", "cached", "failed"];

fn label(state: &ImageState) -> &'static str {
    match state {
        ImageState::Queued { .. } => "queued",
        ImageState::WaitingForLock => "waiting_for_lock",
        ImageState::Held { .. } => "held",
        ImageState::Fetching { .. } => "fetching",
        ImageState::Verifying => "verifying",
        ImageState::Converting { .. } => "converting",
        ImageState::Cached => "cached",
        ImageState::Failed { .. } => "failed",
    }
}
