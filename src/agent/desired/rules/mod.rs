//! Prefetch rules: which images this node is to have without being asked. Pure.
//!
//! ```text
//! rules of the file ─┐
//! rules of the centre┴→ follow ─→ Followed ─┐
//! pages of the catalogue ─→ Finder ─→ Found ┼→ choose ─→ Desired: images with their claims, what is left out, and why
//! starts of instances ─→ Uses ──────────────┘     ↑ now (windows), images that are gone
//! ```
//!
//! The same rules, images and uses choose the same images at any time: windows only say when they may be fetched, and
//! nothing that a node fetches or removes changes what is chosen. So nothing is fetched and removed in turns.

mod choose;
mod follow;
mod found;
#[cfg(test)]
mod tests;
mod uses;
mod window;

pub use choose::{Choice, Claim, Desired, LeftOut, Report, Wanted, choose};
pub use follow::{Followed, Origin, follow};
pub use found::{Finder, Finding, Found};
pub use uses::{Changes, Use, User, Uses};
pub use window::{Gate, gate};

/// The most images that rules keep on a node; what is beyond is left out.
pub const MOST_IMAGES: usize = 8_000;
/// The most rules that a node follows, which is the most that a catalogue keeps.
pub const MOST_RULES: usize = 1_000;
