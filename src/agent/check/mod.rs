//! `larder agent check`: what of this host and its configuration stands in the way, each with its remedy.
//!
//! ```text
//! agreed    nova.conf × the agent's settings: who prunes, what mtime means, locks, images_type
//! places    instances_path, _base, locks and state_path: owners, modes, file systems, room
//! shared    one instances_path of several hosts: the registry, the mount
//! labels    SELinux and AppArmor
//! rights    the agent's user and capabilities
//! through   nova-compute and the read-through endpoint
//! centre    the catalogue: does it answer, do the clocks agree
//! ```
//!
//! Nothing is changed, and a check that cannot look says so; it never stops the others.

mod agreed;
mod centre;
mod labels;
mod nova;
mod places;
mod rights;
mod run;
mod shared;
mod signatures;
#[cfg(test)]
mod tests;
mod through;

pub use nova::NovaSays;
pub(super) use rights::lacking;
pub use run::check;
