//! Tasks, clocks, signals, logs, metrics and what systemd wants to hear.

pub mod allocator;
pub mod logging;
pub mod metrics;
pub mod open_files;
pub mod pages;
pub mod schedule;
pub mod signals;
pub mod systemd;
