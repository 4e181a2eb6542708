//! What this agent does for the others that share its base directory, beside the loop.
//!
//! ```text
//! reconcile ──Kept──→ member ─→ signs of life and pins in `_base/.larder/` (`seat`)
//!     ↑                 ├─────→ answers to those who want to remove something
//!     │                 ├─────→ nova's registry, `instances_path/compute_nodes`
//!     └──Sharing────────┘
//! ```

mod answer;
mod line;
mod member;
mod registry;

pub(super) use line::{Kept, Line, line};
pub(super) use member::Parts;
#[cfg(test)]
mod tests;
