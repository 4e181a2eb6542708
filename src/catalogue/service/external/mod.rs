//! Web servers that clients name for an import: reading from them.

mod fetch;
#[cfg(test)]
mod tests;

pub(super) use fetch::open;
