//! `/v2/images` and all below it.

mod actions;
mod create;
mod data;
mod delete;
mod list;
mod tags;
mod update;
