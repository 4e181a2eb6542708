//! The command line, by the real binary.

#[cfg(feature = "catalogue")]
mod cache_pass;
mod catalogue;
#[cfg(feature = "catalogue")]
mod image;
#[cfg(feature = "catalogue")]
mod import;
mod manage;
#[cfg(feature = "catalogue")]
mod store_check;
mod usage;
#[cfg(feature = "catalogue")]
mod verify;
