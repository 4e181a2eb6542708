//! Nova's base directory: its names, its locks, its files, and how one gets in.
//!
//! ```text
//! instances_path/_base/X                      a base; X = sha1 of the image's id
//! instances_path/_base/.larder-X.H.fetch|.raw ours, being made by host H; nova ignores the name
//! instances_path/_base/.larder.lock, .larder/ who shares the directory (`seat`)
//! instances_path/locks/nova-X                 nova's lock of the base X
//! ```
//!
//! A base appears by rename, whole and synced, under nova's lock; existence is nova's only criterion. Nothing here
//! decides what may go; it removes what it is told to, if it still is the same file.

mod kind;
mod open;
mod publish;
mod remove;
mod scan;
mod settings;
mod staging;

pub use kind::Kind;
pub use open::{BaseDir, BaseDirError, LockError, NovaLock};
pub use publish::{PublishError, Published};
pub use remove::{RemoveError, Removed};
pub use scan::{BaseFile, ScanError, own_bytes};
pub use settings::{InvalidName, Settings};
pub(super) use staging::LOCK;
pub use staging::Staging;

#[cfg(test)]
mod tests;
