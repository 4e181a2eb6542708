//! Web servers that clients name: whether this server may ask them, and reading from them.

mod address;
mod fetch;
mod filter;
#[cfg(test)]
mod tests;

pub(super) use fetch::open;
pub(super) use filter::may_ask;
