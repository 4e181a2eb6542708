//! The scrubber: removes the data of images in `pending_delete` (`delayed_delete`), or brings such an image back.
//!
//! ```text
//! pending_delete ─ claim ─→ deleted ─→ each location: remove the data, note it     all gone: done
//!       ↑──────────────────── some could not be removed ──────────┘
//! ```
//!
//! It opens the database and the store and nothing else. Several can run at once, Glance's own among them: an image is
//! claimed by one, and removing what is gone is no error.

mod pass;
mod report;
mod restore;
mod scrubber;
#[cfg(test)]
mod tests;

pub use report::{Failure, Report, Scrubbed};
pub use restore::{RestoreError, Restored};
pub use scrubber::{OpenError, ScrubError, Scrubber};
