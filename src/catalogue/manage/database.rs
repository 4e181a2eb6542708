//! The database's schema: what it is, and making it.

use crate::catalogue::manage::ManageError;
use crate::catalogue::tables;
use crate::db::{Db, DbError, Engine, Settings};

/// What a database's schema needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Current,
    /// `db expand`, as of a Glance older than 2024.1, or of no Glance at all.
    ToExpand,
    /// `db contract`: Glance's half-done migration.
    ToContract,
}

/// The revision of Glance's schema after its expand phase; the head of the other phase is [`tables::HEAD`].
const EXPANDED: &str = "2024_1_expand01";

/// Makes the schema in an empty database, and our own tables in Glance's; whether there was something to do.
///
/// # Errors
/// [`ManageError`]: the schema is older or newer, or not Glance's; nothing is then changed.
pub async fn sync(settings: &Settings) -> Result<bool, ManageError> {
    let before = versions(settings).await?;
    tables::ensure(&open(settings).await?).await?;
    Ok(before != [tables::HEAD])
}

/// The revisions of the schema; none when there is no database yet, or none of Glance.
///
/// # Errors
/// [`ManageError`].
pub async fn versions(settings: &Settings) -> Result<Vec<String>, ManageError> {
    // A question makes no file.
    if matches!(settings.engine()?, Engine::Sqlite(path) if !path.exists()) {
        return Ok(Vec::new());
    }
    Ok(tables::versions(&open(settings).await?).await?)
}

/// What the schema needs.
///
/// # Errors
/// [`ManageError`].
pub async fn check(settings: &Settings) -> Result<State, ManageError> {
    let versions = versions(settings).await?;
    let has = |version: &str| versions.iter().any(|it| it == version);
    Ok(if has(tables::HEAD) {
        State::Current
    } else if has(EXPANDED) {
        State::ToContract
    } else {
        State::ToExpand
    })
}

/// Opens the database, without a look at what is in it.
pub(super) async fn open(settings: &Settings) -> Result<Db, ManageError> {
    let settings = settings.clone();
    let opened = tokio::task::spawn_blocking(move || Db::open(&settings)).await;
    Ok(opened.unwrap_or(Err(DbError::BrokeOff))?)
}
