//! Larder brings virtual machine images to where they boot.
//!
//! One program, two daemons and a command line. The modules stand in rows; a module imports from lower rows only,
//! and modules on one row are strangers (`tests/it/layers.rs` checks it):
//!
//! ```text
//! main.rs      args -> config -> build -> run -> drain; nothing else
//! row 6  dev | simulator                        both programs on one machine | a thousand nodes and a centre, in tests
//! row 5  config                                 files -> Settings of each part; the only reader of files and environment
//! row 4  catalogue | agent | commands           the programs; they meet only over HTTP or the admin socket
//! row 3  store | identity | remote | admin      bytes at rest | who asks | client of a catalogue | admin-socket protocol
//! row 2  http | db | wire | messaging           server and client plumbing | database plumbing | JSON of the Image API | notifications
//! row 1  image | diskformat | runtime           the domain, pure | recognising and converting disk images | tasks, signals, logs
//! row 0  base                                   digests, atomic files, file locks, byte sizes, ranges: knows no images
//! ```

pub mod admin;
#[cfg(feature = "agent")]
pub mod agent;
pub mod base;
#[cfg(feature = "catalogue")]
pub mod catalogue;
pub mod commands;
pub mod config;
#[cfg(feature = "catalogue")]
pub mod db;
#[cfg(all(feature = "agent", feature = "catalogue"))]
pub mod dev;
pub mod diskformat;
pub mod http;
#[cfg(feature = "catalogue")]
pub mod identity;
pub mod image;
#[cfg(feature = "catalogue")]
pub mod messaging;
pub mod remote;
pub mod runtime;
#[cfg(test)]
mod simulator;
#[cfg(feature = "catalogue")]
pub mod store;
pub mod wire;
