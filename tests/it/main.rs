//! The integration tests: they run the real `larder` in temporary folders on free ports.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::too_many_lines,
    reason = "a test says what failed by failing"
)]

#[cfg(feature = "agent")]
mod agent;
#[cfg(feature = "catalogue")]
mod api;
mod cli;
#[cfg(feature = "catalogue")]
mod clients;
mod config;
#[cfg(feature = "catalogue")]
mod database;
#[cfg(feature = "catalogue")]
mod deletes;
#[cfg(all(feature = "agent", feature = "catalogue"))]
mod dev;
#[cfg(feature = "catalogue")]
mod differential;
mod diskformat;
mod faults;
#[cfg(feature = "catalogue")]
mod fleet;
#[cfg(feature = "catalogue")]
mod identity;
mod layers;
mod lint;
mod newcomer;
mod remote;
mod shipped_units;
#[cfg(feature = "catalogue")]
mod stores;
mod support;
