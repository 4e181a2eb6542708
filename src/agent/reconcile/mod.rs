//! The one loop of the agent: it looks, starts what is due, takes in what has ended, and publishes one status.
//!
//! ```text
//! admin socket ─┐                 ┌─→ fetches (max_concurrent_fetches)
//! watch (hints) ├─→ Reconciler ───┼─→ looks at the directory and the instances
//! clocks ───────┘   │  state      └─→ prune passes, removals
//!                   └─→ Status on a watch channel ─→ admin socket, metrics, log
//! ```
//!
//! Only the loop writes the index; whatever blocks or waits runs beside it and reports back.

mod clock;
mod fetches;
mod look;
mod passes;
mod reconciler;
mod removals;
mod show;
mod state;
mod warnings;

pub(super) use reconciler::{Command, Parts, Reconciler, Reply};
