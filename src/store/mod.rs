//! Bytes of images at rest.
//!
//! [`Store`] is what a back end does; [`open()`] is the only place that knows which there are; [`ingest()`] is how an
//! upload gets in: hashed, measured, inspected and written at once.
//!
//! ```text
//! body ─→ batches of 1 MiB ─┬─→ thread: md5
//!                           ├─→ thread: os_hash (sha512)
//!                           ├─→ thread: write to an aside file     ─→ Staged ─→ commit: visible under its URL
//!                           └─→ inspector, until it knows                └─→ drop: nothing is left
//! ```

mod back_end;
pub mod conformance;
mod error;
mod file;
mod file_perm;
mod http;
mod ingest;
mod open;
mod rbd;
mod resume;
mod s3;
mod settings;
mod settling;
mod stores;
mod swift;

pub use back_end::{Blocks, Room, StagedData, Store, Writing};
pub use error::{OpenError, StoreError};
pub use file_perm::{FilePerm, InvalidFilePerm};
pub use http::{ImportFiltering, addresses_of, may_ask, web_client};
pub use ingest::{IngestError, Ingested, Limits, OnFailure, Spread, Staged, ingest, keep, measure, spread};
pub use open::{BUILT, KINDS, open, open_folder};
pub use rbd::RbdSettings;
pub use s3::{BucketUrlFormat, Checksums, S3Settings};
pub use settings::{Backend, DataDir, Settings};
pub use stores::Stores;
pub use swift::SwiftSettings;

#[cfg(test)]
mod tests;
