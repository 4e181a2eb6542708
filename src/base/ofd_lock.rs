//! Record locks that programs using `fcntl.lockf` see: open file description locks on whole files.
//!
//! flock(2) is invisible to them, and a classic POSIX lock is dropped when any descriptor of the file is closed in the
//! process; an OFD lock conflicts with POSIX locks both ways and belongs to one open file. The other side may unlink a
//! lock file while somebody waits for it, so after a lock is got, the file is compared with what the path names now.
//! Lock files are never unlinked here: whoever waits on the old file and a newcomer would both be in.

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, AtFlags, FcntlArg, OFlag, fcntl},
    libc,
    sys::stat::Mode,
    unistd::{Gid, Uid, fchown, linkat},
};
use rand::Rng;
use std::{
    fs::{File, OpenOptions, Permissions},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How often the file may be exchanged under us before this gives up; each round is a lost race, not a wait.
const EXCHANGES: u32 = 100;

/// Mode of a lock file (that of oslo.concurrency under the usual umask).
const MODE: u32 = 0o644;

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct OfdLock {
    file: File,
    path: PathBuf,
}

/// Whom a lock file is given that this process makes as root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// The lock was not got.
#[derive(Debug, thiserror::Error)]
pub enum OfdLockError {
    /// Opening or making the lock file failed.
    #[error("cannot open the lock file {path}", path = path.display())]
    Open {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The lock call failed for another reason than a conflict.
    #[error("cannot lock {path}", path = path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody removed and made the file again each time it was locked.
    #[error("the lock file {path} is being exchanged all the time", path = path.display())]
    Unstable {
        /// The lock file.
        path: PathBuf,
    },
    /// Another holder kept it during the whole wait.
    #[error("{path} is still locked by another process after {waited:?}", path = path.display())]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// The program is stopping.
    #[error("gave up waiting for the lock {path}: stopping", path = path.display())]
    Cancelled {
        /// The lock file.
        path: PathBuf,
    },
}

// === impl OfdLock ===

impl OfdLock {
    /// Takes the lock if it is free; `None` when another process (or another part of this one) holds it.
    ///
    /// A missing lock file is made with mode 0644; when root makes it, it belongs to `owner` from the moment it is visible.
    ///
    /// # Errors
    /// [`OfdLockError::Open`], [`OfdLockError::Lock`], [`OfdLockError::Unstable`].
    pub fn try_lock(path: &Path, owner: Option<Owner>) -> Result<Option<Self>, OfdLockError> {
        for _ in 0..EXCHANGES {
            let file = open(path, owner).map_err(|source| OfdLockError::Open { path: path.to_owned(), source })?;
            match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole_file(libc::F_WRLCK))) {
                Ok(_) => {}
                Err(Errno::EAGAIN | Errno::EACCES) => return Ok(None),
                Err(errno) => return Err(OfdLockError::Lock { path: path.to_owned(), source: errno.into() }),
            }
            if is_at(&file, path) {
                return Ok(Some(Self { file, path: path.to_owned() }));
            }
        }
        Err(OfdLockError::Unstable { path: path.to_owned() })
    }

    /// Takes the lock, trying again every few milliseconds for at most `wait`.
    ///
    /// # Errors
    /// Those of [`OfdLock::try_lock`], [`OfdLockError::Busy`] after `wait`, [`OfdLockError::Cancelled`].
    pub async fn lock(
        path: &Path,
        owner: Option<Owner>,
        wait: Duration,
        cancel: &CancellationToken,
    ) -> Result<Self, OfdLockError> {
        let began = Instant::now();
        loop {
            // A few quick system calls on a local file: not worth a thread.
            if let Some(lock) = Self::try_lock(path, owner)? {
                return Ok(lock);
            }
            let left = wait.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(OfdLockError::Busy { path: path.to_owned(), waited: wait });
            }
            // The other side polls every 10 to 100 ms; jitter keeps two pollers out of step.
            let pause = Duration::from_millis(rand::rng().random_range(5..50)).min(left);
            tokio::select! {
                () = cancel.cancelled() => return Err(OfdLockError::Cancelled { path: path.to_owned() }),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Whether somebody holds the lock, without taking it and without making the file.
    ///
    /// # Errors
    /// What the system says, but for a missing file: that is `false`.
    pub fn is_held(path: &Path) -> io::Result<bool> {
        let file = match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let mut lock = whole_file(libc::F_WRLCK);
        fcntl(&file, FcntlArg::F_OFD_GETLK(&mut lock))?;
        Ok(i32::from(lock.l_type) != libc::F_UNLCK)
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path still names the file that is locked; a newcomer would lock another one if not.
    pub fn is_current(&self) -> bool {
        is_at(&self.file, &self.path)
    }
}

impl Drop for OfdLock {
    fn drop(&mut self) {
        // Closing is not enough: a child that is being started has our descriptors up to its exec.
        let _ = fcntl(&self.file, FcntlArg::F_OFD_SETLK(&whole_file(libc::F_UNLCK)));
    }
}

fn whole_file(kind: i32) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.symlink_metadata()) {
        (Ok(ours), Ok(theirs)) => ours.dev() == theirs.dev() && ours.ino() == theirs.ino(),
        _ => false,
    }
}

/// Opens for append, making the file if it is missing; never through a symbolic link, since root would follow it too.
fn open(path: &Path, owner: Option<Owner>) -> io::Result<File> {
    for _ in 0..EXCHANGES {
        match OpenOptions::new().append(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => return done,
        }
        match make(path, owner) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            done => return done,
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "it is removed and made again all the time"))
}

fn make(path: &Path, owner: Option<Owner>) -> io::Result<File> {
    let Some(owner) = owner.filter(|owner| Uid::effective().is_root() && owner.uid != 0) else {
        return create_new(path);
    };
    // A file of root's would keep its owner out, even if only for a moment: it gets its name after its owner.
    match make_owned(path, owner) {
        Err(error) if no_nameless_files(&error) => {
            let file = create_new(path)?;
            fchown(&file, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))?;
            Ok(file)
        }
        done => done,
    }
}

fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create_new(true).mode(MODE).custom_flags(libc::O_NOFOLLOW).open(path)
}

fn make_owned(path: &Path, owner: Owner) -> io::Result<File> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let flags = OFlag::O_TMPFILE | OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CLOEXEC;
    let file = File::from(nix::fcntl::open(folder, flags, Mode::from_bits_truncate(MODE))?);
    file.set_permissions(Permissions::from_mode(MODE))?;
    fchown(&file, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))?;
    let nameless = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    linkat(AT_FDCWD, &nameless, AT_FDCWD, path, AtFlags::AT_SYMLINK_FOLLOW)?;
    Ok(file)
}

/// NFS and a few others have no O_TMPFILE; a missing /proc has no way to name one.
fn no_nameless_files(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::ENOENT | Errno::EINVAL | Errno::EXDEV)
    )
}

#[cfg(test)]
mod tests;
