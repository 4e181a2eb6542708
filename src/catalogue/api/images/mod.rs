//! `/v2/images` and all below it.

pub(super) mod actions;
pub(super) mod create;
pub(super) mod data;
pub(super) mod delete;
pub(super) mod import;
pub(super) mod list;
pub(super) mod locations;
pub(super) mod members;
pub(super) mod show;
pub(super) mod stage;
pub(super) mod tags;
pub(super) mod tasks;
pub(super) mod update;
