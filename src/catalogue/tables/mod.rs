//! The catalogue's tables. SQL stands here and nowhere else; every function runs within its caller's transaction.
//!
//! Rows are deleted softly, as Glance does it: `deleted` and `deleted_at` are set and the row stays, so that an id is
//! never used again.

pub(crate) mod cached;
mod children;
mod cipher;
pub(crate) mod fleet;
pub(crate) mod images;
pub(crate) mod imports;
pub(crate) mod list;
pub(crate) mod locations;
pub(crate) mod members;
pub(crate) mod metadefs;
mod names;
pub(crate) mod pending;
pub(crate) mod processes;
mod properties;
pub(crate) mod purge;
mod schema;
pub(crate) mod staged;
mod tags;
pub(crate) mod tasks;
#[cfg(test)]
mod tests;
mod turns;
pub(crate) mod uploads;

pub(crate) use cipher::{LocationCipher, is_sealed, opened_cipher};
pub use cipher::{LocationKey, WrongKey};
pub use schema::{EXPANDED, HEAD, SchemaError, ensure, is_empty, stamp, versions};
