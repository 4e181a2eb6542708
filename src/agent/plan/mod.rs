//! Decisions, pure: what should be × what is there × room × now → what to do and why.

pub mod evict;
pub mod fetch;
pub mod pace;
pub mod prune;
