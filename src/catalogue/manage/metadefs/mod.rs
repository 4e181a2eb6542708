//! Metadata definitions out of files and into files, in `glance-manage`'s format: one namespace a file.
//!
//! ```text
//! files      where definitions come from: a path, the configured folder, or the standard set in the program
//! definition one file's content
//! load       file → tables, one transaction each
//! export     tables → files
//! ```

mod definition;
mod export;
mod files;
mod load;
mod standard;
#[cfg(test)]
mod tests;

pub use export::export_metadefs;
pub use files::Source;
pub use load::{How, Loaded, Outcome, load_metadefs, unload_metadefs};

use crate::catalogue::{
    manage::{ManageError, database},
    tables,
};
use crate::db::{Db, Settings};

async fn opened(settings: &Settings) -> Result<Db, ManageError> {
    let db = database::open(settings).await?;
    tables::ensure(&db).await?;
    Ok(db)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ManageError> + Send + 'static,
) -> Result<T, ManageError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(ManageError::BrokeOff))
}
