//! The one loop of the agent: it looks, starts what is due, takes in what has ended, and publishes one status.
//!
//! ```text
//! admin socket ─┐                 ┌─→ fetches (max_concurrent_fetches)
//! watch (hints) ├─→ Reconciler ───┼─→ looks at the directory and the instances
//! clocks ───────┘   │  state      └─→ prune passes, removals, evictions, scrub passes (one base at a time)
//!                   └─→ Status on a watch channel ─→ admin socket, metrics, log
//! ```
//!
//! Only the loop writes the index, but for the fleet's own tables; whatever blocks or waits runs beside it and reports back.

mod clock;
mod disk;
mod fetches;
mod gauges;
mod guard;
mod identify;
mod job;
mod keep;
mod look;
mod names;
mod partials;
mod passes;
mod pins;
mod plan;
mod presence;
mod publish;
mod reconciler;
mod reconfigure;
mod removals;
mod rules;
mod rules_status;
mod scrub_status;
mod scrubs;
mod show;
mod space;
mod state;
#[cfg(test)]
mod tests;
mod users;
mod warnings;

pub(super) use presence::Presence;
pub(super) use reconciler::{Command, Parts, Reconciler, Reply};
pub(super) use rules::RulesLine;
