//! `/v2/images` and all below it.

pub(crate) mod actions;
pub(crate) mod create;
pub(crate) mod data;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod tags;
pub(crate) mod update;
