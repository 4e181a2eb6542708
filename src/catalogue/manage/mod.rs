//! What `glance-manage` does, on the database alone, and the one-pass programs of Glance's image cache: nothing is served
//! meanwhile.

mod cache;
mod database;
mod metadefs;
mod purge;
mod store_check;
#[cfg(test)]
mod tests;

pub use cache::{clean_cache, prefetch, prune_cache};
pub use database::{State, check, contract, expand, migrate, state, sync, upgrade, version_control, versions};
pub use metadefs::{How, Loaded, Outcome, Source, export_metadefs, load_metadefs, unload_metadefs};
pub use purge::{Purge, PurgeError, TablePurged, purge};
pub use store_check::{StoreChecked, Tried, check_store};

use crate::catalogue::{
    service::{Fault, OpenError},
    tables::SchemaError,
};
use crate::db::DbError;
use std::{io, path::PathBuf};

/// A command on the database cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ManageError {
    /// The database.
    #[error("cannot use the catalogue's database")]
    Db(#[from] DbError),
    /// What is in the database.
    #[error("cannot work on the catalogue's database")]
    Schema(#[from] SchemaError),
    /// A file or a folder of definitions.
    #[error("cannot {step} {path}")]
    File {
        /// `read`, `write`…
        step: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A folder without definitions.
    #[error("there are no *.json files in {0}")]
    Empty(PathBuf),
    /// The catalogue on which the work is done.
    #[error("cannot work on the image cache")]
    Open(#[from] OpenError),
    /// `image_cache_dir`
    #[error("there is no image cache: image_cache_dir is not set")]
    NoCache,
    /// The work itself.
    #[error("the image cache")]
    Cache(#[from] Fault),
    /// A store.
    #[error("cannot open the image store")]
    Store(#[from] crate::store::OpenError),
    /// What is refused, and what to do first.
    #[error("{0}")]
    Refused(String),
    /// The thread that did it.
    #[error("the work broke off")]
    BrokeOff,
}
