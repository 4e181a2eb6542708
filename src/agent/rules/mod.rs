//! Follows prefetch rules beside the loop: which rules hold, and what the catalogue has for them.
//!
//! ```text
//! configuration, labels ─┐
//! rules of the centre ───┼→ Follower ─→ which rules hold ───────────────┐
//! pass, image changes ───┘   │ one listing for all that came meanwhile  ├→ the loop: chooses, queues, keeps
//!                            └─→ catalogue, page by page ─→ what was found ┘
//! ```
//!
//! A listing that fails changes nothing: the node goes on with the rules and the images that it knows.

mod bell;
mod follower;
mod list;
mod settings;

pub(super) use bell::Bell;
pub(super) use follower::{Follower, News, follow, known};
pub(super) use list::list;
pub(super) use settings::Settings;
