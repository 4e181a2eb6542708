//! Whether an image may become a base, what its bytes must be, and how much room it takes. Pure.

mod go_on;
mod order;
mod room;
#[cfg(test)]
mod tests;

pub use go_on::{InWork, go_on};
pub use order::{Order, Refused, Terms, digest, order, with_overhead};
pub use room::{Bounds, Ledger, Mark, Missing, NoRoom, Reservation, Seen};
