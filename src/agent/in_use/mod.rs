//! What uses a base: the evidence, and the doubts.
//!
//! ```text
//! instances_path/**  every disk's whole backing chain, by its headers ─┐
//! libvirt's domains  every disk they name, likewise                    ├─→ by_base: name → evidence
//! /proc/*/fd         whoever has a base open                           │   doubts: what could not be seen,
//! locks/nova-X       whoever holds nova's lock of a base               ┘           and what that keeps
//! ```
//!
//! Nothing here decides or changes anything. What cannot be read is a doubt, never a "no".

mod bases;
mod chain;
mod domains;
mod evidence;
mod folders;
mod lease;
mod memory;
mod observe;
mod processes;
mod waiters;

pub use evidence::{About, Doubt, Evidence, InUse};
pub use lease::Lease;
pub use memory::Memory;
pub use observe::{observe, observe_for};
pub use waiters::waited_for;
