//! The verbs of the catalogue. It knows no HTTP; every method is whole by itself: it is done, or nothing is.
//!
//! A change reads, checks and writes an image within one transaction, so two changes of one image follow each other
//! and none is lost. Steps that leave the database (bytes) are announced in it first, so that [`super::workers`] can
//! finish or undo whatever a killed process began.

mod access;
mod cache;
mod change;
mod check;
mod delete;
mod difference;
mod download;
mod expected;
mod external;
mod fault;
mod fleet;
mod imports;
mod judged;
mod limits;
mod locations;
mod members;
pub mod metadefs;
mod notes;
mod open;
mod reconfigure;
mod records;
mod relocate;
mod schema_file;
mod signatures;
mod stores;
mod tasks;
#[cfg(test)]
pub(crate) mod tests;
mod undo;
mod upload;
mod verify;

pub use cache::{
    CacheError, CacheState, CachedImage, Cleaned, Driver as CacheDriver, Prefetched, Pruned, Settings as CacheSettings,
    Target as CacheTarget, UnknownDriver as UnknownCacheDriver,
};
pub use download::Download;
pub use expected::Expected;
pub use fault::Fault;
pub use fleet::{Bounds, ChangeStream};
#[cfg(any(test, fuzzing))]
pub use imports::fuzzed_decompression;
pub use imports::{Conversion, Decompression, Inject, NewImport, Plugin, PluginSettings, UnknownPlugin};
pub use limits::Limited;
pub use locations::Addition;
pub use open::{OpenError, Service};
pub use records::Page;
pub use signatures::{AnchorsError, Settings as SignatureSettings};
pub use tasks::{NewTask, TaskPage};
pub use upload::Upload;

/// Any error, as streams carry it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
