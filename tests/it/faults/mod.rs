//! What goes wrong on real machines: kills, full disks, lying servers, bad input.

mod bad_input;
mod cache;
#[cfg(target_arch = "x86_64")]
mod calls;
pub(crate) mod disk_full;
mod imports;
mod killed;
mod lies;
mod resumed;
mod signed;
