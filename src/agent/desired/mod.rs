//! What should be here, and when to try: the queue in its order, and the waits after failures. Pure.

mod due;
mod retry;
#[cfg(test)]
mod tests;

pub use due::Turn;
pub use retry::{Failure, Waits, retry_at};
