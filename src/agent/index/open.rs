//! Opening the index, and what to do with one that is damaged.

use super::IndexError;
use crate::base::chain;
use rusqlite::{Connection, ErrorCode};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

const VERSION: i64 = 1;

const SCHEMA: &str = "
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

pub(super) fn open(path: &Path) -> Result<(Connection, Vec<String>), IndexError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| IndexError::Folder { path: folder.to_owned(), source })?;
    }
    let damage = match connect(path) {
        Ok(connection) => return Ok((connection, Vec::new())),
        Err(IndexError::Open { source, .. }) if damaged(&source) => source,
        Err(error) => return Err(error),
    };
    let queued = salvage(path);
    let aside = set_aside(path).map_err(|source| IndexError::SetAside { path: path.to_owned(), source })?;
    let connection = connect(path)?;
    let saved = put_back(&connection, &queued);
    let note = format!(
        "the index {} was damaged ({}): set aside as {}, {saved} queued images saved, the rest is rebuilt from the base directory",
        path.display(),
        chain(&damage),
        aside.display()
    );
    Ok((connection, vec![note]))
}

fn connect(path: &Path) -> Result<Connection, IndexError> {
    let found = prepare(path).map_err(|source| IndexError::Open { path: path.to_owned(), source })?;
    match found {
        (connection, VERSION) => Ok(connection),
        (_, found) => Err(IndexError::Newer { path: path.to_owned(), found, known: VERSION }),
    }
}

fn prepare(path: &Path) -> rusqlite::Result<(Connection, i64)> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Some hundred KiB are enough for it; the agent is to stay small.
    connection.pragma_update(None, "cache_size", -512)?;
    let sound: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if sound != "ok" {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        return Err(rusqlite::Error::SqliteFailure(code, Some(sound)));
    }
    let version = |connection: &Connection| connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    if version(&connection)? == 0 {
        let transaction = connection.transaction()?;
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
    }
    let found = version(&connection)?;
    if found == VERSION {
        // A file of the right version without our tables is as good as damaged.
        connection
            .prepare("SELECT position, image_id, queued_at, attempts, retry_at, last_error FROM queue")
            .map_err(misshapen)?;
        connection.prepare("SELECT base, image_id, origin, since, hits, last_used FROM bases").map_err(misshapen)?;
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

/// What can still be read of the queue, in its order.
fn salvage(path: &Path) -> Vec<(String, i64)> {
    let read = || -> rusqlite::Result<Vec<(String, i64)>> {
        let connection = Connection::open(path)?;
        let mut statement = connection.prepare("SELECT image_id, queued_at FROM queue ORDER BY position")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        // Up to the first unreadable page.
        Ok(rows.map_while(Result::ok).collect())
    };
    read().unwrap_or_default()
}

fn put_back(connection: &Connection, queued: &[(String, i64)]) -> usize {
    let valid = queued.iter().filter(|(id, _)| id.parse::<crate::image::ImageId>().is_ok());
    let insert = "INSERT OR IGNORE INTO queue (image_id, queued_at) VALUES (?1, ?2)";
    valid.filter(|(id, since)| connection.execute(insert, (id, since)).is_ok_and(|rows| rows == 1)).count()
}

/// Renames the file and its companions; the newest damage is kept, older ones too, each under its own name.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let companion = |path: &Path, suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let stamp = chrono::Utc::now().format("%Y%m%dT%H%M%S");
    let aside = (0..100)
        .map(|count| {
            companion(path, &if count == 0 { format!(".damaged-{stamp}") } else { format!(".damaged-{stamp}-{count}") })
        })
        .find(|it| !it.exists())
        .ok_or(io::ErrorKind::AlreadyExists)?;
    fs::rename(path, &aside)?;
    for suffix in ["-wal", "-shm"] {
        match fs::rename(companion(path, suffix), companion(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}
