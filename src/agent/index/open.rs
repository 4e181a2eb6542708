//! Opening the index, and what to do with one that is damaged.

use super::IndexError;
use crate::base::chain;
use rusqlite::{Connection, ErrorCode};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

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
    let damage = match connect(path) {
        Ok(connection) => return Ok((connection, Vec::new())),
        Err(IndexError::Open { source, .. }) if damaged(&source) => source,
        Err(error) => return Err(error),
    };
    let salvaged = salvage(path);
    let aside = set_aside(path).map_err(|source| IndexError::SetAside { path: path.to_owned(), source })?;
    let connection = connect(path)?;
    let (queued, pins) = put_back(&connection, &salvaged);
    let note = format!(
        "the index {} was damaged ({}): set aside as {}, {queued} queued images and {pins} pins saved, the rest is rebuilt from the base directory; pin again what was pinned and is not",
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

/// An image's id, when it was queued or pinned, its priority.
type Wish = (String, i64, i64);

/// What only the index knew and can still be read: the queue in its order, and the pins.
fn salvage(path: &Path) -> [Vec<Wish>; 2] {
    let read = |statement: &str| -> rusqlite::Result<Vec<Wish>> {
        let connection = Connection::open(path)?;
        let mut statement = connection.prepare(statement)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        // Up to the first unreadable page.
        Ok(rows.map_while(Result::ok).collect())
    };
    // What rules have queued they queue again.
    let queue = read("SELECT image_id, queued_at, priority FROM queue WHERE for_rules = 0 ORDER BY position")
        .or_else(|_| read("SELECT image_id, queued_at, priority FROM queue ORDER BY position"))
        .or_else(|_| read("SELECT image_id, queued_at, 0 FROM queue ORDER BY position"));
    [queue.unwrap_or_default(), read("SELECT image_id, pinned_at, 0 FROM pins").unwrap_or_default()]
}

fn put_back(connection: &Connection, [queue, pins]: &[Vec<Wish>; 2]) -> (usize, usize) {
    let put = |statement: &str, these: &[Wish]| {
        let valid = these.iter().filter(|(id, ..)| id.parse::<crate::image::ImageId>().is_ok());
        valid.filter(|(id, at, priority)| connection.execute(statement, (id, at, priority)) == Ok(1)).count()
    };
    let queued = put("INSERT OR IGNORE INTO queue (image_id, queued_at, priority) VALUES (?1, ?2, ?3)", queue);
    (queued, put("INSERT OR IGNORE INTO pins (image_id, pinned_at) VALUES (?1, ?2 + 0 * ?3)", pins))
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
