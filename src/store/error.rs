//! What can go wrong with bytes at rest.

use crate::base::ByteSize;
use crate::store::BUILT;
use std::{io, path::PathBuf};

/// A store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No such kind of store.
    #[error("'{kind}' is no kind of store; known are {known}")]
    Unknown {
        /// The kind asked for.
        kind: String,
        /// All that Glance has.
        known: String,
    },
    /// Glance has it, this build has not.
    #[error("the {kind} store is not part of this build of Larder; it has: {}", BUILT.join(", "))]
    NotBuilt {
        /// The kind asked for.
        kind: String,
    },
    /// The options of a store cannot be used.
    #[error("the {kind} store: {what}")]
    Options {
        /// `s3`, `swift`…
        kind: &'static str,
        /// Which option, why, and what it should be; nothing of secrets.
        what: String,
        /// What is behind it.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The folder of the file store cannot be used.
    #[error("the folder of the file store, {}, cannot be {step}", path.display())]
    Folder {
        /// `filesystem_store_datadir`, or one of `filesystem_store_datadirs`.
        path: PathBuf,
        /// `made`, `read`…
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Two of `filesystem_store_datadirs` are one folder.
    #[error("filesystem_store_datadirs has {} more than once, with different priorities or under different names", path.display())]
    SameFolder {
        /// The second one.
        path: PathBuf,
    },
    /// `filesystem_store_metadata_file` cannot be used.
    #[error("filesystem_store_metadata_file {}: {what}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what it should be.
        what: String,
    },
}

/// A store did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no data under this URL.
    #[error("there is no data at {url}")]
    NotFound {
        /// The URL.
        url: String,
    },
    /// There is data under this URL already.
    #[error("there is data at {url} already")]
    Duplicate {
        /// The URL.
        url: String,
    },
    /// No room is left.
    #[error("the store at {} is full: {} free{}", path.display(), ByteSize(*free), wanted.map(|it| format!(", {} wanted", ByteSize(it))).unwrap_or_default())]
    Full {
        /// The store's folder.
        path: PathBuf,
        /// Bytes that are left.
        free: u64,
        /// Bytes that were to be written, when known.
        wanted: Option<u64>,
    },
    /// Likewise, of a store that is no folder of ours.
    #[error("the store {store} has no room left: {what}")]
    NoRoom {
        /// The store's name.
        store: String,
        /// What it said.
        what: String,
    },
    /// Something still needs the data, as a clone does, so that it cannot be removed.
    #[error("the data at {url} is in use: {what}")]
    InUse {
        /// The URL, without secrets.
        url: String,
        /// By what, as far as the store tells.
        what: String,
    },
    /// The system does not let us.
    #[error("{step} {} is not permitted", path.display())]
    Denied {
        /// `writing`, `reading`…
        step: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The URL names nothing of this store.
    #[error("{url} is not in the store {store}: {why}")]
    Foreign {
        /// The URL.
        url: String,
        /// The store's name.
        store: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The data is shorter than it should be.
    #[error("the data at {url} ends at byte {size}; byte {wanted} was asked for")]
    Short {
        /// The URL.
        url: String,
        /// Its length.
        size: u64,
        /// The end that was asked for.
        wanted: u64,
    },
    /// A server does not do what it is asked for with the data.
    #[error("{url} cannot be {step}: {what}")]
    Remote {
        /// `read`, `written`…
        step: &'static str,
        /// The URL, without secrets.
        url: String,
        /// What it did.
        what: String,
        /// What is behind it.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// There is data, and nobody says how much.
    #[error("the server of {url} does not tell the length of the data")]
    Unmeasured {
        /// The URL, without secrets.
        url: String,
    },
    /// The store only gives.
    #[error("nothing is written to or removed from the store {store}")]
    ReadOnly {
        /// The store's name.
        store: String,
    },
    /// Anything else.
    #[error("{step} {} failed", path.display())]
    Io {
        /// `writing`, `reading`…
        step: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
