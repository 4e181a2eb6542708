//! This agent's place among those that share one base directory.
//!
//! ```text
//! _base/.larder.lock              flock, shared; an agent that cannot register, or of a version that cannot share, has it alone
//! _base/.larder/host-H.lock       OFD lock, as long as the agent of host H runs: one agent per host
//! _base/.larder/host-H.json       what H says of itself; its mtime is H's last sign of life
//! _base/.larder/room.lock        OFD lock: one promises room to a fetch at a time; promises stand in the entries
//! _base/.larder/turn.lock         OFD lock: one removes at a time
//! _base/.larder/turn.json         what is to go;  host-H.answer: what of it H keeps
//! _base/.larder/host-H.spare      gone when the disk is full, so that H can still ask and answer
//! ```
//!
//! Ages are told by the file system's own clock: two hosts' clocks need not agree. Nova looks into no folder of `_base`.

mod agreement;
mod entry;
mod folder;
mod mount;
mod name;
mod seen;
mod standing;
mod take;
mod turn;

pub use agreement::{Agreement, Answer, Purpose, Question};
pub use entry::Entry;
pub(in crate::agent) use folder::replace;
pub use folder::{FOLDER, Folder};
pub use mount::Mount;
pub use name::{HostName, InvalidHost};
pub use seen::{seen, seen_at};
pub use standing::{Claims, Seen, Standing, claims, standing};
pub use take::{Seat, SeatError};
pub use turn::Turn;

#[cfg(test)]
mod tests;
