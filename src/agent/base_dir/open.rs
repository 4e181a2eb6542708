//! Taking the directory over.

use super::{InvalidName, Settings, Staging, staging::LOCK};
use crate::agent::seat::{HostName, Seat, SeatError};
use crate::base::{
    atomic_file::fsync_dir,
    ofd_lock::{OfdLock, OfdLockError, Owner},
    space::{self, Space},
};
use crate::image::ImageId;
use nix::{
    errno::Errno,
    libc,
    unistd::{AccessFlags, Uid, access},
};
use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// Nova's lock of a base was not got.
pub type LockError = OfdLockError;

/// The base directory, held by this process until it is dropped. All methods block on the disk but [`BaseDir::lock`].
#[derive(Debug)]
pub struct BaseDir {
    pub(super) settings: Settings,
    pub(super) path: PathBuf,
    locks: PathBuf,
    pub(super) owner: Owner,
    removed_at_start: Vec<String>,
    seat: Arc<Seat>,
}

/// Nova's lock of one base; held until it is dropped. Spawns of the image wait meanwhile: keep it short.
#[derive(Debug)]
pub struct NovaLock {
    base: String,
    _lock: OfdLock,
}

/// The directory was not taken over.
#[derive(Debug, thiserror::Error)]
pub enum BaseDirError {
    /// The settings do not name a directory.
    #[error("bad name of the base directory")]
    Name(#[source] InvalidName),
    /// `instances_path` is missing or no directory.
    #[error("instances_path {path} is not there: is nova-compute installed, is the file system mounted?", path = path.display())]
    NoInstances {
        /// `instances_path`.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Files made here would be closed to nova.
    #[error("{path} belongs to user {owner}, but this runs as user {us}: nova could not use what it makes; run it as user {owner} or as root", path = path.display())]
    WrongUser {
        /// `instances_path`.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// Our user id.
        us: u32,
    },
    /// The mount is read-only.
    #[error("{path} is on a read-only mount: nothing can be cached there; remount it writable or set instances_path to another place", path = path.display())]
    ReadOnly {
        /// The directory.
        path: PathBuf,
    },
    /// No permission to write there.
    #[error("{path} is not writable for user {user}: give it to nova's user and run the agent as that user or as root", path = path.display())]
    NotWritable {
        /// The directory.
        path: PathBuf,
        /// Our user id.
        user: u32,
        /// What the system said.
        source: io::Error,
    },
    /// Making a directory failed.
    #[error("cannot make the directory {path}", path = path.display())]
    Make {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Root may not give files away: it lacks CAP_CHOWN.
    #[error("what is made in {path} cannot be given to user {owner}, to whom instances_path belongs, and nova could not use it: run the agent as that user, or as root with CAP_CHOWN", path = path.display())]
    NotGiven {
        /// What was to be given.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// What the system said.
        source: io::Error,
    },
    /// Another agent is in the way, or a lock failed.
    #[error("cannot take over {path}", path = path.display())]
    Lock {
        /// The directory.
        path: PathBuf,
        /// Who has it.
        source: SeatError,
    },
    /// What a crash left could not be removed.
    #[error("cannot remove what a crash left: {path}", path = path.display())]
    Clean {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

// === impl BaseDir ===

impl BaseDir {
    /// Takes the directory over: makes it and nova's folder of locks if they are missing (with the owner and mode of
    /// `instances_path`), makes sure that it is writable, takes this host's seat among the agents that share it, and removes
    /// what a crash of ours left there.
    ///
    /// # Errors
    /// [`BaseDirError`]; each says what an operator does about it.
    pub fn open(settings: Settings) -> Result<Self, BaseDirError> {
        Self::open_keeping(settings, &|_| false)
    }

    /// Likewise, but the download for a base (told by its name) that a crash has interrupted stays if `keep` says so.
    ///
    /// # Errors
    /// As [`BaseDir::open`].
    pub fn open_keeping(settings: Settings, keep: &dyn Fn(&str) -> bool) -> Result<Self, BaseDirError> {
        settings.check().map_err(BaseDirError::Name)?;
        let given = &settings.instances_path;
        let missing = |source| BaseDirError::NoInstances { path: given.clone(), source };
        // Overlays name their base by its absolute path.
        let instances = std::path::absolute(given).map_err(missing)?;
        let meta = fs::metadata(&instances).map_err(missing)?;
        if !meta.is_dir() {
            return Err(missing(Errno::ENOTDIR.into()));
        }
        let owner = Owner { uid: meta.uid(), gid: meta.gid() };
        let us = Uid::effective();
        if !us.is_root() && us.as_raw() != owner.uid {
            return Err(BaseDirError::WrongUser { path: instances, owner: owner.uid, us: us.as_raw() });
        }
        check_can_give(&instances, owner)?;
        let path = instances.join(&settings.subdirectory_name);
        let locks = instances.join("locks");
        for folder in [&path, &locks] {
            make_folder(folder, meta.mode() & 0o7777, owner)?;
            check_writable(folder)?;
        }
        let (lock, patience) = (path.join(LOCK), settings.shared_answer_timeout);
        let seat = Seat::take(&lock, owner, &settings.host, patience)
            .map_err(|source| BaseDirError::Lock { path: path.clone(), source })?;
        give(&lock, owner).map_err(|source| not_given(&lock, owner, source))?;
        let removed_at_start = clean(&path, seat.host(), keep)?;
        let settings = Settings { instances_path: instances, ..settings };
        Ok(Self { settings, path, locks, owner, removed_at_start, seat: Arc::new(seat) })
    }

    /// The directory of the bases.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Nova's `instances_path`, absolute.
    pub fn instances_path(&self) -> &Path {
        &self.settings.instances_path
    }

    /// The settings it was opened with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Names of the leftovers that opening it removed.
    pub fn removed_at_start(&self) -> &[String] {
        &self.removed_at_start
    }

    /// Removes the downloads for bases that `keep` does not name; what went.
    ///
    /// # Errors
    /// [`BaseDirError::Clean`] with the file.
    pub fn remove_downloads(&self, keep: &dyn Fn(&str) -> bool) -> Result<Vec<String>, BaseDirError> {
        clean(&self.path, self.seat.host(), keep)
    }

    /// This agent's place among those that share the directory.
    pub fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }

    /// Whom files are given that root makes here.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// Where the base of an image is, or would be.
    pub fn base_path(&self, id: &ImageId) -> PathBuf {
        self.path.join(id.base_name())
    }

    /// Where this host makes bytes for an image's base ready: on the same file system, under a name that nova ignores.
    pub fn staging(&self, id: &ImageId, kind: Staging) -> PathBuf {
        self.path.join(kind.name(&id.base_name(), self.seat.host()))
    }

    /// Blocks that the download for a base takes, bytes; 0 when there is none.
    pub fn downloaded(&self, base: &str) -> u64 {
        let meta = fs::symlink_metadata(self.path.join(Staging::Fetch.name(base, self.seat.host())));
        meta.map_or(0, |it| it.blocks().saturating_mul(512))
    }

    /// Space of the file system.
    ///
    /// # Errors
    /// What statvfs(3) says.
    pub fn space(&self) -> io::Result<Space> {
        space::free(&self.path)
    }

    /// Takes nova's lock of a base, waiting at most `wait`. No wait is without bound, and neither should the hold be.
    ///
    /// # Errors
    /// [`LockError::Busy`] when nova holds it all the time, [`LockError::Cancelled`], or what the system says.
    pub async fn lock(&self, base: &str, wait: Duration, cancel: &CancellationToken) -> Result<NovaLock, LockError> {
        let path = self.lock_path(base)?;
        let lock = OfdLock::lock(&path, Some(self.owner), wait, cancel).await?;
        Ok(NovaLock { base: base.to_owned(), _lock: lock })
    }

    /// Takes nova's lock of a base if it is free.
    ///
    /// # Errors
    /// What the system says; a lock that another holds is `None`.
    pub fn try_lock(&self, base: &str) -> Result<Option<NovaLock>, LockError> {
        let lock = OfdLock::try_lock(&self.lock_path(base)?, Some(self.owner))?;
        Ok(lock.map(|lock| NovaLock { base: base.to_owned(), _lock: lock }))
    }

    /// Whether anybody, nova or ourselves, holds nova's lock of a base.
    ///
    /// # Errors
    /// What the system says.
    pub fn is_locked(&self, base: &str) -> io::Result<bool> {
        OfdLock::is_held(&self.locks.join(format!("nova-{base}")))
    }

    fn lock_path(&self, base: &str) -> Result<PathBuf, LockError> {
        let path = self.locks.join(format!("nova-{base}"));
        if base.is_empty() || base.contains(['/', '\0']) {
            return Err(LockError::Open { path, source: io::ErrorKind::InvalidInput.into() });
        }
        Ok(path)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        fsync_dir(&self.path)
    }
}

// === impl NovaLock ===

impl NovaLock {
    /// The name of the base that is locked.
    pub fn base(&self) -> &str {
        &self.base
    }
}

fn make_folder(path: &Path, mode: u32, owner: Owner) -> Result<(), BaseDirError> {
    let failed = |source: io::Error| match source.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EROFS) => BaseDirError::ReadOnly { path: path.to_owned() },
        Some(Errno::EACCES) => not_writable(path, source),
        _ => BaseDirError::Make { path: path.to_owned(), source },
    };
    match fs::DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {
            tracing::info!(path = %path.display(), "made the directory");
            give(path, owner).map_err(|source| not_given(path, owner, source))
        }
        // A link to a directory on a larger disk is as good.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// Root's files are given to nova; anybody else is nova already.
fn give(path: &Path, owner: Owner) -> io::Result<()> {
    if Uid::effective().is_root() {
        std::os::unix::fs::lchown(path, Some(owner.uid), Some(owner.gid))?;
    }
    Ok(())
}

/// Before anything is made that nova could not use, and that nova's user could not even remove.
fn check_can_give(instances: &Path, owner: Owner) -> Result<(), BaseDirError> {
    // A file without a name; file systems without such files are no reason to stop.
    let file = fs::OpenOptions::new().write(true).custom_flags(libc::O_TMPFILE).mode(0o600).open(instances);
    match file {
        Ok(file) if Uid::effective().is_root() => std::os::unix::fs::fchown(&file, Some(owner.uid), Some(owner.gid))
            .map_err(|source| not_given(instances, owner, source)),
        _ => Ok(()),
    }
}

fn not_given(path: &Path, owner: Owner, source: io::Error) -> BaseDirError {
    BaseDirError::NotGiven { path: path.to_owned(), owner: owner.uid, source }
}

fn check_writable(path: &Path) -> Result<(), BaseDirError> {
    match access(path, AccessFlags::R_OK | AccessFlags::W_OK | AccessFlags::X_OK) {
        Ok(()) => Ok(()),
        Err(Errno::EROFS) => Err(BaseDirError::ReadOnly { path: path.to_owned() }),
        Err(errno) => Err(not_writable(path, errno.into())),
    }
}

fn not_writable(path: &Path, source: io::Error) -> BaseDirError {
    BaseDirError::NotWritable { path: path.to_owned(), user: Uid::effective().as_raw(), source }
}

/// What others left, or are making, is theirs.
fn clean(path: &Path, host: &HostName, keep: &dyn Fn(&str) -> bool) -> Result<Vec<String>, BaseDirError> {
    let failed = |path: &Path, source| BaseDirError::Clean { path: path.to_owned(), source };
    let mut removed = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| failed(path, error))? {
        let entry = entry.map_err(|error| failed(path, error))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        // A download whose base is there was left between publishing and removing it.
        let goes_on = Staging::download_for(&name, host).is_some_and(|base| !path.join(base).exists() && keep(base));
        if Staging::is_name(&name, host) && !goes_on {
            let file = entry.path();
            fs::remove_file(&file).map_err(|error| failed(&file, error))?;
            tracing::info!(base.file = %file.display(), "removed what a crash left");
            removed.push(name);
        }
    }
    removed.sort();
    Ok(removed)
}
