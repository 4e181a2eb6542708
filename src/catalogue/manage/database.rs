//! The database's schema: what it is, and making it. The words are `glance-manage db`'s.

use crate::catalogue::manage::ManageError;
use crate::catalogue::tables::{self, EXPANDED, HEAD, SchemaError};
use crate::db::{Db, DbError, Engine, Settings};

/// What a database's schema needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Current,
    /// `db expand`: it is empty.
    Empty,
    /// `glance-manage db expand`: it is of a Glance older than 2024.1, or of no Glance at all.
    ToExpand,
    /// `db contract`: the end of a migration.
    ToContract,
}

const UP_TO_DATE: &str = "Database is up to date. No migrations needed.";

/// The revision before Glance's first one.
const INITIAL: &str = "liberty";

/// Makes the schema in an empty database, ends a migration to 2024.1, and makes our own tables in Glance's.
///
/// # Errors
/// [`ManageError`]: the schema is older or newer, or not Glance's; nothing is then changed.
pub async fn sync(settings: &Settings, version: Option<&str>) -> Result<String, ManageError> {
    known(version.unwrap_or(HEAD))?;
    let db = open(settings).await?;
    let before = tables::versions(&db).await?;
    if ends_migration(&before) {
        tables::stamp(&db, HEAD).await?;
    }
    tables::ensure(&db).await?;
    Ok(if before == [HEAD] { UP_TO_DATE } else { "Database is synced successfully." }.to_owned())
}

/// Brings the schema to a revision: the newest one, or that of the expand phase.
///
/// # Errors
/// As [`sync`].
pub async fn upgrade(settings: &Settings, version: Option<&str>) -> Result<String, ManageError> {
    let version = version.unwrap_or("heads");
    if version == EXPANDED {
        return expand(settings).await;
    }
    known(version)?;
    sync(settings, None).await?;
    if version == "heads" {
        return Ok(format!("Upgraded database, current revision(s): {HEAD}"));
    }
    Ok(format!("Upgraded database to: {version}, current revision(s): {HEAD}"))
}

/// Says that the database is at a revision, whatever is in it.
///
/// # Errors
/// [`ManageError::Refused`]: no such revision.
pub async fn version_control(settings: &Settings, version: Option<&str>) -> Result<String, ManageError> {
    let version = version.unwrap_or(INITIAL);
    if ![INITIAL, EXPANDED, HEAD].contains(&version) {
        let known = format!("{INITIAL}, {EXPANDED} and {HEAD}");
        return Err(ManageError::Refused(format!(
            "Can't locate revision identified by '{version}': there are {known}"
        )));
    }
    tables::stamp(&open(settings).await?, version).await?;
    Ok(format!("Placed database under migration control at revision: {version}"))
}

/// The first phase of a migration: makes all tables in an empty database.
///
/// # Errors
/// As [`sync`].
pub async fn expand(settings: &Settings) -> Result<String, ManageError> {
    let db = open(settings).await?;
    match of(&tables::versions(&db).await?, || tables::is_empty(&db)).await? {
        State::Current => Ok(UP_TO_DATE.to_owned()),
        State::ToContract => Ok("Database expansion is up to date. No expansion needed.".to_owned()),
        State::Empty | State::ToExpand => {
            tables::ensure(&db).await?;
            tables::stamp(&db, EXPANDED).await?;
            Ok(format!("Upgraded database to: {EXPANDED}, current revision(s): {EXPANDED}"))
        }
    }
}

/// The second phase: rows of old releases are rewritten. There is nothing to rewrite in a schema that the first knows.
///
/// # Errors
/// [`ManageError::Refused`]: the first phase comes first.
pub async fn migrate(settings: &Settings) -> Result<String, ManageError> {
    match state(settings).await? {
        State::Current => Ok(UP_TO_DATE.to_owned()),
        State::ToContract => Ok("Database migration is up to date. No migration needed.".to_owned()),
        State::Empty | State::ToExpand => Err(ManageError::Refused(
            "Data migration did not run. Data migration cannot be run before database expansion. Run database expansion \
             first using \"larder catalogue db expand\" (empty databases) or \"glance-manage db expand\""
                .to_owned(),
        )),
    }
}

/// The third phase: what only old releases need goes. Glance 2024.1 has nothing of the kind.
///
/// # Errors
/// [`ManageError::Refused`]: the first phase comes first.
pub async fn contract(settings: &Settings) -> Result<String, ManageError> {
    match state(settings).await? {
        State::Current => Ok(UP_TO_DATE.to_owned()),
        State::ToContract => {
            sync(settings, None).await?;
            Ok(format!("Upgraded database to: {HEAD}, current revision(s): {HEAD}"))
        }
        State::Empty | State::ToExpand => Err(ManageError::Refused(
            "Database contraction did not run. Database contraction cannot be run before database expansion. Run \
             database expansion first using \"larder catalogue db expand\" (empty databases) or \"glance-manage db expand\""
                .to_owned(),
        )),
    }
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

/// What the schema needs: a word, `glance-manage`'s exit code.
///
/// # Errors
/// [`ManageError`].
pub async fn check(settings: &Settings) -> Result<(String, u8), ManageError> {
    let step = |words: &str, step: &str| format!("Your database is not up to date. {words} to run `{step}`.");
    let (first, next) = ("Your first step is", "Your next step is");
    Ok(match state(settings).await? {
        State::Current => ("Database is up to date. No upgrades needed.".to_owned(), 0),
        State::Empty => (step(first, "larder catalogue db expand"), 3),
        State::ToExpand => (step(first, "glance-manage db expand"), 3),
        State::ToContract => (step(next, "larder catalogue db contract"), 5),
    })
}

/// What the schema needs.
///
/// # Errors
/// [`ManageError`].
pub async fn state(settings: &Settings) -> Result<State, ManageError> {
    if matches!(settings.engine()?, Engine::Sqlite(path) if !path.exists()) {
        return Ok(State::Empty);
    }
    let db = open(settings).await?;
    of(&tables::versions(&db).await?, || tables::is_empty(&db)).await
}

async fn of<F>(versions: &[String], is_empty: impl FnOnce() -> F) -> Result<State, ManageError>
where
    F: Future<Output = Result<bool, SchemaError>>,
{
    Ok(if versions.iter().any(|it| it == HEAD) {
        State::Current
    } else if ends_migration(versions) {
        State::ToContract
    } else if is_empty().await? {
        State::Empty
    } else {
        State::ToExpand
    })
}

/// All tables are those of 2024.1; what is left of the migration changes none.
fn ends_migration(versions: &[String]) -> bool {
    versions.iter().any(|it| it == EXPANDED) && versions.iter().all(|it| it == EXPANDED || it == "2023_1_contract01")
}

fn known(version: &str) -> Result<(), ManageError> {
    if ["heads", "head", HEAD].contains(&version) {
        return Ok(());
    }
    Err(ManageError::Refused(format!("this program makes the schema at {HEAD} and no other, not at {version}")))
}

/// Opens the database, without a look at what is in it.
pub(super) async fn open(settings: &Settings) -> Result<Db, ManageError> {
    let settings = settings.clone();
    let opened = tokio::task::spawn_blocking(move || Db::open(&settings)).await;
    let db = opened.unwrap_or(Err(DbError::BrokeOff))?;
    db.reach().await?;
    Ok(db)
}
