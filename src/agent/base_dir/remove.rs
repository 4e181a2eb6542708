//! How a base goes, and how its last use is noted.

use super::{BaseDir, BaseFile, Kind, NovaLock};
use chrono::{DateTime, Utc};
use std::{
    fs::{self, FileTimes, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Gone,
    /// Somebody else was faster.
    WasNotThere,
}

/// The file stays.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// The lock is that of another base: a mistake of the caller's.
    #[error("the lock of {locked} does not protect {base}")]
    WrongLock {
        /// What was to go.
        base: String,
        /// What is locked.
        locked: String,
    },
    /// A link, something of ours or of nobody's: never removed.
    #[error("{path} is not a file that nova made", path = path.display())]
    NotNovas {
        /// The file.
        path: PathBuf,
    },
    /// Another file has the name now, or it was used meanwhile.
    #[error("{path} has changed since it was looked at", path = path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot remove {path}", path = path.display())]
    Unlink {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl BaseDir {
    /// Removes exactly this file, under nova's lock of it, if its mtime is still the same: a spawn sets it before it
    /// takes the lock. The directory is synced by [`BaseDir::sync_names`].
    ///
    /// # Errors
    /// [`RemoveError`]; the file stays then.
    pub fn remove(&self, file: &BaseFile, lock: &NovaLock) -> Result<Removed, RemoveError> {
        if lock.base() != file.lock_name() {
            return Err(RemoveError::WrongLock { base: file.name.clone(), locked: lock.base().to_owned() });
        }
        let path = self.path.join(&file.name);
        if !file.kind.is_base() && !matches!(file.kind, Kind::Part { .. }) {
            return Err(RemoveError::NotNovas { path });
        }
        match fs::symlink_metadata(&path) {
            Ok(meta) if file.is_still(&meta) => {}
            Ok(_) => return Err(RemoveError::Changed { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Removed::WasNotThere),
            Err(source) => return Err(RemoveError::Unlink { path, source }),
        }
        match fs::remove_file(&path) {
            Ok(()) => Ok(Removed::Gone),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Removed::WasNotThere),
            Err(source) => Err(RemoveError::Unlink { path, source }),
        }
    }

    /// Makes names survive a power cut; until then a removed base may come back, whole, and a published one may be gone.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync_names(&self) -> io::Result<()> {
        self.sync()
    }

    /// Sets a base's mtime to `now`: it is in use. `false` when we may not (libvirt gave it to its own user).
    ///
    /// # Errors
    /// What the system says, but for missing permission.
    pub fn touch(&self, name: &str, now: DateTime<Utc>) -> io::Result<bool> {
        match touch(&self.path.join(name), now) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn touch(path: &Path, now: DateTime<Utc>) -> io::Result<()> {
    // Never makes a missing file: an empty base would be used. Never follows a link.
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let now = now.into();
    file.set_times(FileTimes::new().set_accessed(now).set_modified(now))
}
