//! Aside files: data that is not visible yet.

use fs2::FileExt;
use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, RenameFlags, renameat2},
};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

const PREFIX: &str = ".larder-";
const SUFFIX: &str = ".part";

/// Names that are tried before it is an error.
const ATTEMPTS: usize = 16;

/// A locked file beside the images; dropping it removes it.
#[derive(Debug)]
pub(super) struct Aside {
    path: PathBuf,
    /// The lock lives as long as this description does.
    file: Arc<File>,
    keep: bool,
}

// === impl Aside ===

impl Aside {
    /// A new empty file for the data of `name`.
    pub(super) fn create(folder: &Path, name: &str, mode: Option<u32>) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            let path = folder.join(format!("{PREFIX}{name}-{:016x}{SUFFIX}", rand::random::<u64>()));
            let file = match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
                Ok(file) => file,
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(e) => return Err(e),
            };
            // Another process that starts just now may take it for a leftover, before it is locked.
            if FileExt::try_lock_exclusive(&file).is_err() || file.metadata()?.nlink() == 0 {
                let _ = fs::remove_file(&path);
                continue;
            }
            let aside = Self { path, file: Arc::new(file), keep: false };
            if let Some(mode) = mode {
                aside.file.set_permissions(fs::Permissions::from_mode(mode))?;
            }
            return Ok(aside);
        }
        Err(io::Error::other("no free name for an aside file was found"))
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Gives it the name `to`, which must be free, and makes that safe.
    pub(super) fn publish(mut self, to: &Path) -> io::Result<()> {
        match renameat2(AT_FDCWD, &self.path, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
            Ok(()) => self.keep = true,
            // NFS knows no such flag, but links are as good; the aside name goes with `self`.
            Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => fs::hard_link(&self.path, to)?,
            Err(e) => return Err(e.into()),
        }
        let synced = to.parent().map_or(Ok(()), sync_folder);
        if synced.is_err() {
            let _ = fs::remove_file(to);
        }
        synced
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        if let Err(e) = fs::remove_file(&self.path)
            && e.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), error = %e, "an unfinished upload's file could not be removed");
        }
        // The name goes at once; freeing the blocks of a large file takes time, which the executor has not.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let file = self.file.clone();
            runtime.spawn_blocking(move || drop(file));
        }
    }
}

/// Removes the aside files whose writers are gone.
pub(super) fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|it| it.starts_with(PREFIX) && it.ends_with(SUFFIX));
        if !ours || !entry.file_type().is_ok_and(|it| it.is_file()) {
            continue;
        }
        let path = entry.path();
        // A file that cannot be opened or locked belongs to somebody who is alive, or to another user.
        let Ok(file) = OpenOptions::new().read(true).write(true).open(&path) else { continue };
        if FileExt::try_lock_exclusive(&file).is_err() {
            continue;
        }
        match fs::remove_file(&path) {
            Ok(()) => tracing::info!(path = %path.display(), "removed what an interrupted upload left"),
            Err(e) => {
                tracing::warn!(path = %path.display(), error = %e, "what an interrupted upload left could not be removed");
            }
        }
    }
    Ok(())
}

/// Makes names in the folder safe.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
