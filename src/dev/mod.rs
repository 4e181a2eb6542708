//! Everything on one machine: `larder dev`.
//!
//! ```text
//! place    the folder: its lock, the port and the socket that were used last
//! programs settings for that folder ─→ a catalogue and an agent, built and run side by side
//! ```

mod place;
mod programs;
#[cfg(test)]
mod tests;

pub use place::{Place, PlaceError};
pub use programs::{Dev, DevError, build};
