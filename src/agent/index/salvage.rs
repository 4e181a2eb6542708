//! A damaged index gives way to a new one, which has what could be read of it.
//!
//! ```text
//! read ─→ index.db.salvage ─→ index.db.salvaged (whole, synced) ─→ the old files are set aside ─→ index.db
//!         a crash up to here begins anew                           a crash from here on is gone on from
//! ```

use super::{IndexError, open};
use crate::base::atomic_file::fsync_dir;
use rusqlite::{Connection, ErrorCode};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// What was saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) queued: usize,
    pub(super) pins: usize,
}

/// How often a disk is asked that refuses, and the pause in between.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);

/// An image's id, when it was queued or pinned, its priority.
type Wish = (String, i64, i64);

/// A new index beside the damaged one, with all that can be read of it.
pub(super) fn make(path: &Path) -> Result<Saved, IndexError> {
    let opened = |source| IndexError::Open { path: path.to_owned(), source };
    let failed = |source| IndexError::Salvage { path: path.to_owned(), source };
    let wishes = read_wishes(path).map_err(opened)?;
    let (begun, whole) = (beside(path, ".salvage"), beside(path, ".salvaged"));
    for leftover in [&begun, &beside(&begun, "-journal")] {
        remove_if_there(leftover).map_err(failed)?;
    }
    let connection = open::make(&begun)?;
    let saved = put(connection, &wishes).map_err(|source| IndexError::Open { path: begun.clone(), source })?;
    File::open(&begun).and_then(|it| it.sync_all()).map_err(failed)?;
    fs::rename(&begun, &whole).and_then(|()| sync_folder(path)).map_err(failed)?;
    Ok(saved)
}

/// Puts the new one into the place of the damaged one, if there is one; where that is now.
pub(super) fn exchange(path: &Path) -> Result<Option<PathBuf>, IndexError> {
    let whole = beside(path, ".salvaged");
    let failed = |source| IndexError::Salvage { path: path.to_owned(), source };
    if !whole.try_exists().map_err(failed)? {
        return Ok(None);
    }
    let aside = set_aside(path).map_err(|source| IndexError::SetAside { path: path.to_owned(), source })?;
    // The log of the old one must not be there any more when the new one is: SQLite would take it for its own.
    sync_folder(path).map_err(failed)?;
    fs::rename(&whole, path).and_then(|()| sync_folder(path)).map_err(failed)?;
    Ok(Some(aside))
}

/// What only the index knew and can still be read: the queue in its order, and the pins.
fn read_wishes(path: &Path) -> rusqlite::Result<[Vec<Wish>; 2]> {
    for _ in 0..TRIES {
        match read_both(path, is_passing) {
            Err(error) if is_refused(&error) => thread::sleep(PAUSE),
            done => return done,
        }
    }
    // What the disk refuses for good is as lost as any other damage.
    read_both(path, |error| is_passing(error) && !is_refused(error))
}

fn read_both(path: &Path, stops: fn(&rusqlite::Error) -> bool) -> rusqlite::Result<[Vec<Wish>; 2]> {
    // What rules have queued they queue again.
    let queue = [
        "SELECT image_id, queued_at, priority FROM queue WHERE for_rules = 0 ORDER BY position",
        "SELECT image_id, queued_at, priority FROM queue ORDER BY position",
        "SELECT image_id, queued_at, 0 FROM queue ORDER BY position",
    ];
    Ok([read_first(path, &queue, stops)?, read_first(path, &["SELECT image_id, pinned_at, 0 FROM pins"], stops)?])
}

/// By the first statement that the file's tables fit.
fn read_first(path: &Path, statements: &[&str], stops: fn(&rusqlite::Error) -> bool) -> rusqlite::Result<Vec<Wish>> {
    for statement in statements {
        match read(path, statement, stops) {
            Err(error) if stops(&error) => return Err(error),
            Err(_) => {}
            wishes => return wishes,
        }
    }
    Ok(Vec::new())
}

fn read(path: &Path, statement: &str, stops: fn(&rusqlite::Error) -> bool) -> rusqlite::Result<Vec<Wish>> {
    let connection = Connection::open(path)?;
    let mut statement = connection.prepare(statement)?;
    let mut wishes = Vec::new();
    for row in statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))? {
        match row {
            Ok(wish) => wishes.push(wish),
            Err(error) if stops(&error) => return Err(error),
            // Up to the first unreadable page.
            Err(_) => break,
        }
    }
    Ok(wishes)
}

/// No fault of the file's: the next try may read more, and nothing may be given up for it.
fn is_passing(error: &rusqlite::Error) -> bool {
    use ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, PermissionDenied, ReadOnly, SystemIoFailure,
    };
    let code = error.sqlite_error_code();
    code.is_some_and(|it| {
        [CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, PermissionDenied, ReadOnly, SystemIoFailure]
            .contains(&it)
    })
}

/// By the disk.
fn is_refused(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
}

/// All of them, or an error: a full disk loses no pin.
fn put(mut connection: Connection, [queue, pins]: &[Vec<Wish>; 2]) -> rusqlite::Result<Saved> {
    let transaction = connection.transaction()?;
    let put = |statement: &str, these: &[Wish]| -> rusqlite::Result<usize> {
        let mut statement = transaction.prepare(statement)?;
        let valid = these.iter().filter(|(id, ..)| id.parse::<crate::image::ImageId>().is_ok());
        valid.map(|(id, at, priority)| statement.execute((id, at, priority))).sum()
    };
    let queued = put("INSERT OR IGNORE INTO queue (image_id, queued_at, priority) VALUES (?1, ?2, ?3)", queue)?;
    let pins = put("INSERT OR IGNORE INTO pins (image_id, pinned_at) VALUES (?1, ?2 + 0 * ?3)", pins)?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(Saved { queued, pins })
}

/// Renames the file and its companions; the newest damage is kept, older ones too, each under its own name.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let stamp = chrono::Utc::now().format("%Y%m%dT%H%M%S");
    let name = |count| if count == 0 { format!(".damaged-{stamp}") } else { format!(".damaged-{stamp}-{count}") };
    let is_free = |it: &PathBuf| ["", "-wal", "-shm"].iter().all(|suffix| !beside(it, suffix).exists());
    let aside = (0..100).map(|count| beside(path, &name(count))).find(is_free).ok_or(io::ErrorKind::AlreadyExists)?;
    for suffix in ["", "-wal", "-shm"] {
        match fs::rename(beside(path, suffix), beside(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fsync_dir)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
