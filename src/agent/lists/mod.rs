//! Piece lists, in a folder beside the index.
//!
//! ```text
//! state_path/pieces/X.base    of the base X: what a scrub compares it with, and what file that was
//! state_path/pieces/X.fetch   of the download for it that is under way: what need not be fetched again after a crash
//! ```
//!
//! 32 bytes for each 16 MiB. They go with their base or download; a lost or damaged one is made again from the base.

mod folder;
mod label;

pub use folder::Lists;
pub use label::{FileId, Label, Trust, Wanted};
