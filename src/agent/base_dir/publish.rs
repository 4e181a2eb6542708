//! How a base appears: whole, synced, under nova's lock, and never over another.

use super::{BaseDir, NovaLock};
use crate::image::ImageId;
use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, RenameFlags, renameat2},
    libc,
    unistd::Uid,
};
use std::{
    fs::{self, File, FileTimes, OpenOptions, Permissions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Nova, qemu and libvirt's own user must be able to read it, whoever it belongs to later.
const MODE: u32 = 0o644;

/// What became of the staged file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It is the base now.
    New,
    /// A base had appeared meanwhile (nova's pre-caching takes no lock): that one stays, ours is gone.
    AlreadyThere,
}

/// The base did not appear; the staged file is still there, unless the step says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The lock is that of another base: a mistake of the caller's.
    #[error("the lock of {locked} does not protect {base}")]
    WrongLock {
        /// What was to appear.
        base: String,
        /// What is locked.
        locked: String,
    },
    /// Something that is no file has the base's name.
    #[error("{path} is in the way: not a regular file; remove it by hand", path = path.display())]
    InTheWay {
        /// The base.
        path: PathBuf,
    },
    /// The staged file could not be given its mode, owner and time, or not be synced.
    #[error("cannot make {path} ready", path = path.display())]
    Prepare {
        /// The staged file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The rename failed.
    #[error("cannot rename {from} to {to}", from = from.display(), to = to.display())]
    Rename {
        /// The staged file.
        from: PathBuf,
        /// The base.
        to: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The base is there, but a power cut may still undo the rename.
    #[error("cannot sync the directory {path}", path = path.display())]
    Sync {
        /// The base directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl BaseDir {
    /// Makes the staged file the base of `id`, under nova's lock of that base. Blocks until it is on disk.
    ///
    /// Mode 0644, the directory's owner when we are root, mtime now (an old mtime would let nova's manager remove it).
    ///
    /// # Errors
    /// [`PublishError`].
    pub fn publish(&self, staged: &Path, id: &ImageId, lock: &NovaLock) -> Result<Published, PublishError> {
        let base = id.base_name();
        if lock.base() != base {
            return Err(PublishError::WrongLock { base, locked: lock.base().to_owned() });
        }
        let target = self.path.join(&base);
        self.prepare(staged).map_err(|source| PublishError::Prepare { path: staged.to_owned(), source })?;
        match rename_new(staged, &target) {
            Ok(()) => {
                self.sync().map_err(|source| PublishError::Sync { path: self.path.clone(), source })?;
                Ok(Published::New)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => give_way(staged, target),
            Err(source) => Err(PublishError::Rename { from: staged.to_owned(), to: target, source }),
        }
    }

    fn prepare(&self, staged: &Path) -> io::Result<()> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOFOLLOW).open(staged)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let wrong_owner = (meta.uid(), meta.gid()) != (self.owner.uid, self.owner.gid);
        if Uid::effective().is_root() && wrong_owner {
            std::os::unix::fs::fchown(&file, Some(self.owner.uid), Some(self.owner.gid))?;
        }
        file.set_permissions(Permissions::from_mode(MODE))?;
        touch(&file)?;
        file.sync_all()
    }
}

fn touch(file: &File) -> io::Result<()> {
    let now = SystemTime::now();
    file.set_times(FileTimes::new().set_accessed(now).set_modified(now))
}

/// Somebody else's base stays; ours must not stay as a staging file that nobody publishes.
fn give_way(staged: &Path, target: PathBuf) -> Result<Published, PublishError> {
    match fs::symlink_metadata(&target) {
        Ok(meta) if !meta.is_file() => Err(PublishError::InTheWay { path: target }),
        _ => {
            fs::remove_file(staged).map_err(|source| PublishError::Prepare { path: staged.to_owned(), source })?;
            Ok(Published::AlreadyThere)
        }
    }
}

/// Renames, unless the target exists: `AlreadyExists` then.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        // NFS and some others cannot: a hard link never replaces anything either.
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => link_new(from, to),
        done => Ok(done?),
    }
}

pub(super) fn link_new(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}
