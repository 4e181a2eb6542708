//! Opening the index, and what to do with one that is damaged.

use super::{IndexError, salvage};
use crate::base::chain;
use rusqlite::{Connection, ErrorCode};
use std::{fs, path::Path, time::Duration};

const VERSION: i64 = STEPS.len() as i64 + 1;

/// Version 1.
pub(super) const SCHEMA: &str = "
CREATE TABLE queue (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    image_id TEXT NOT NULL UNIQUE,
    queued_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    retry_at INTEGER,
    last_error TEXT
) STRICT;
CREATE TABLE bases (
    base TEXT PRIMARY KEY,
    image_id TEXT,
    name TEXT,
    disk_format TEXT,
    checksum TEXT,
    hash_algorithm TEXT,
    hash_value TEXT,
    origin TEXT NOT NULL,
    since INTEGER NOT NULL,
    hits INTEGER NOT NULL DEFAULT 0,
    last_used INTEGER
) STRICT, WITHOUT ROWID;
";

/// From each version to the next.
const STEPS: [&str; 5] = [PINS, VERIFIED, FLEET, RULES, BLAKE3];

const PINS: &str = "
ALTER TABLE queue ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE bases ADD COLUMN gone_at INTEGER;
CREATE TABLE pins (
    image_id TEXT PRIMARY KEY,
    pinned_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// When a base was last read and compared with its piece list or its image's hash.
const VERIFIED: &str = "
ALTER TABLE bases ADD COLUMN verified_at INTEGER;
ALTER TABLE bases ADD COLUMN verified_how TEXT;
ALTER TABLE bases ADD COLUMN damage TEXT;
";

/// What the agent keeps of its place in the fleet, and the work that it was given there.
const FLEET: &str = "
CREATE TABLE fleet (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE work (
    job TEXT NOT NULL,
    image_id TEXT NOT NULL,
    action TEXT NOT NULL,
    priority INTEGER NOT NULL,
    begun_at INTEGER,
    existed INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    outcome TEXT,
    why TEXT,
    told INTEGER NOT NULL,
    closed INTEGER NOT NULL,
    PRIMARY KEY (job, image_id)
) STRICT, WITHOUT ROWID;
";

/// What only rules have queued, and which bases were used how much, by whom.
const RULES: &str = "
ALTER TABLE queue ADD COLUMN for_rules INTEGER NOT NULL DEFAULT 0;
CREATE TABLE uses (
    base TEXT PRIMARY KEY,
    score REAL NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE users (
    base TEXT NOT NULL,
    instance TEXT NOT NULL,
    seen INTEGER NOT NULL,
    PRIMARY KEY (base, instance)
) STRICT, WITHOUT ROWID;
";

/// What the bytes of a base were when they were compared.
const BLAKE3: &str = "ALTER TABLE bases ADD COLUMN blake3 TEXT;";

pub(super) fn open(path: &Path) -> Result<(Connection, Vec<String>), IndexError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| IndexError::Folder { path: folder.to_owned(), source })?;
    }
    // A crash has interrupted the exchange.
    let gone_on = salvage::exchange(path)?.map(|aside| {
        let (path, aside) = (path.display(), aside.display());
        format!("the index {path} was damaged: set aside as {aside}, {SAVED}")
    });
    let damage = match connect(path) {
        Ok(connection) => return Ok((connection, gone_on.into_iter().collect())),
        Err(IndexError::Open { source, .. }) if damaged(&source) => source,
        Err(error) => return Err(error),
    };
    let saved = salvage::make(path)?;
    let aside = salvage::exchange(path)?.unwrap_or_default();
    let connection = connect(path)?;
    let note = format!(
        "the index {} was damaged ({}): set aside as {}, {} queued images and {} pins saved, {SAVED}",
        path.display(),
        chain(&damage),
        aside.display(),
        saved.queued,
        saved.pins
    );
    Ok((connection, gone_on.into_iter().chain([note]).collect()))
}

const SAVED: &str = "the rest is rebuilt from the base directory; pin again what was pinned and is not";

/// A new one that is all in one file.
pub(super) fn make(path: &Path) -> Result<Connection, IndexError> {
    prepare(path, "DELETE").map(|(made, _)| made).map_err(|source| IndexError::Open { path: path.to_owned(), source })
}

fn connect(path: &Path) -> Result<Connection, IndexError> {
    let found = prepare(path, "WAL").map_err(|source| IndexError::Open { path: path.to_owned(), source })?;
    match found {
        (connection, VERSION) => Ok(connection),
        (_, found) => Err(IndexError::Newer { path: path.to_owned(), found, known: VERSION }),
    }
}

fn prepare(path: &Path, journal: &str) -> rusqlite::Result<(Connection, i64)> {
    let mut connection = Connection::open(path)?;
    // What cannot be opened for writing, for an error of the disk too, SQLite opens for reading, without a word.
    if connection.is_readonly(rusqlite::MAIN_DB)? {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY);
        let why = "it can be read but not written: look at its rights and its mount, and into the kernel's log for errors of the disk";
        return Err(rusqlite::Error::SqliteFailure(code, Some(why.to_owned())));
    }
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update_and_check(None, "journal_mode", journal, |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Some hundred KiB are enough for it; the agent is to stay small.
    connection.pragma_update(None, "cache_size", -512)?;
    let check = || connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    // A read that the disk refuses once is told in the same way as damage.
    let sound = match check()?.as_str() {
        "ok" => "ok".to_owned(),
        _ => check()?,
    };
    if sound != "ok" {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        return Err(rusqlite::Error::SqliteFailure(code, Some(sound)));
    }
    let version = |connection: &Connection| connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    let found = version(&connection)?;
    if (0..VERSION).contains(&found) {
        let transaction = connection.transaction()?;
        if found == 0 {
            transaction.execute_batch(SCHEMA)?;
        }
        let done = usize::try_from(found).map_or(0, |it| it.saturating_sub(1));
        // What is no table of ours cannot be brought forward: as good as damaged.
        STEPS.iter().skip(done).try_for_each(|step| transaction.execute_batch(step)).map_err(|error| {
            if error.sqlite_error_code() == Some(ErrorCode::Unknown) { misshapen(error) } else { error }
        })?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
    }
    let found = version(&connection)?;
    if found == VERSION {
        // A file of the right version without our tables is as good as damaged.
        connection
            .prepare(
                "SELECT position, image_id, queued_at, attempts, retry_at, last_error, priority, for_rules FROM queue",
            )
            .map_err(misshapen)?;
        connection
            .prepare(
                "SELECT base, image_id, origin, since, hits, last_used, gone_at, verified_at, verified_how, damage FROM bases",
            )
            .map_err(misshapen)?;
        connection.prepare("SELECT image_id, pinned_at FROM pins").map_err(misshapen)?;
        connection.prepare("SELECT key, value FROM fleet").map_err(misshapen)?;
        connection.prepare("SELECT job, image_id, outcome, told, closed FROM work").map_err(misshapen)?;
        connection.prepare("SELECT base, score, at FROM uses").map_err(misshapen)?;
        connection.prepare("SELECT base, instance, seen FROM users").map_err(misshapen)?;
        // Its log may have been opened for reading only, and stays so: that shows by writing. A full disk may get room.
        match connection.pragma_update(None, "user_version", VERSION) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ReadOnly) => return Err(error),
            _ => {}
        }
    }
    Ok((connection, found))
}

fn misshapen(error: rusqlite::Error) -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(code, Some(error.to_string()))
}

fn damaged(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}
