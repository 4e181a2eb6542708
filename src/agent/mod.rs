//! The node agent: `desired` → `plan` → `execute` over `base_dir` and `index`.
//!
//! ```text
//! catalogue ──→ execute::fetch ─→ convert ─→ publish ──→ _base          admin socket, metrics, log
//!                   ↑ steps                                 │ scan, in_use         ↑ one Status
//! queue (index) ─→ desired ─→ plan ←────────────────────────┴──────── reconcile ───┘
//! ```

pub mod base_dir;
pub mod check;
mod control;
mod daemon;
pub mod desired;
pub mod execute;
pub mod fleet;
pub mod in_use;
pub mod index;
pub mod lists;
mod once;
pub mod plan;
mod reconcile;
mod rules;
pub mod seat;
mod settings;
mod sharing;
pub mod signatures;
pub mod through;
mod watch;

pub use daemon::{Agent, AgentError, build};
pub use once::{OnceError, prefetch_once, prune_once, scrub_once};
pub use settings::{ImagesType, Settings, UnknownImagesType};
