//! Decisions, pure: what should be × what is there × room × now → what to do and why.

pub mod fetch;
pub mod prune;
