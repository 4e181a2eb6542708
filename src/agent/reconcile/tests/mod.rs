//! The whole loop against nova's side of the disk and an independent model, under a clock that jumps.
//!
//! ```text
//! steps ─→ host: instances, disks, locks, touches (as nova does it) ─→ real files ←─ the real loop, turn by turn
//!   │        └─→ what each disk stands on, by the model ─┐                              ↑ now
//!   └─→ clock ────────────────────────────────────────────┴─→ law: was any of it removed; may what is left stay ─┘
//! ```

mod centre;
mod clock;
mod host;
mod law;
mod meanwhile;
mod model;
mod node;
mod qcow2;
mod room;
mod steps;
