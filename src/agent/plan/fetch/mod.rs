//! Whether an image may become a base, what its bytes must be, and how much room it takes. Pure.

mod order;
mod room;
#[cfg(test)]
mod tests;

pub use order::{Order, Refused, Terms, order};
pub use room::{NoRoom, Reservation, Reservations};
