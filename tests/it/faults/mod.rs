//! What goes wrong on real machines: kills, full disks, lying servers, bad input.

mod bad_input;
mod cache;
mod disk_full;
mod killed;
