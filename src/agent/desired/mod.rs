//! What should be here, and when to try: the queue in its order, the waits after failures, and prefetch rules. Pure.

mod due;
mod retry;
pub mod rules;
#[cfg(test)]
mod tests;

pub use due::Turn;
pub use retry::{Failure, Waits, retry_at};
