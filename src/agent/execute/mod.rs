//! Carries out what was planned; the only part that changes the disk.

mod convert;
pub mod fetch;
pub mod gate;
pub mod progress;
pub mod prune;
mod publish;
pub mod scrub;
mod staged;
