//! A file that is being made: it goes away unless it is published.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// A staging file; removed when this is dropped.
#[derive(Debug)]
pub(super) struct Staged {
    path: PathBuf,
    keep: bool,
}

// === impl Staged ===

impl Staged {
    /// For a file that somebody else makes.
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path, keep: false }
    }

    /// Makes it, empty, whatever was there; blocking.
    pub(super) fn create(path: PathBuf) -> io::Result<(Self, File)> {
        remove(&path)?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        Ok((Self { path, keep: false }, file))
    }

    /// What an earlier try left there, if it is a file; blocking.
    pub(super) fn reopen(path: PathBuf) -> io::Result<Option<(Self, File)>> {
        let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
        match OpenOptions::new().read(true).write(true).custom_flags(flags).open(&path) {
            Ok(file) if file.metadata()?.is_file() => Ok(Some((Self { path, keep: false }, file))),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// It has another name now.
    pub(super) fn published(mut self) {
        self.keep = true;
    }

    /// It stays as it is, for the next try.
    pub(super) fn keep(mut self) {
        self.keep = true;
    }

    /// Removes it on a blocking thread: freeing the blocks of a large file takes a while.
    pub(super) async fn discard(mut self) {
        let path = std::mem::take(&mut self.path);
        self.keep = true;
        let removed = tokio::task::spawn_blocking(move || (remove(&path), path)).await;
        if let Ok((Err(error), path)) = removed {
            tracing::warn!(path = %path.display(), %error, "cannot remove a staging file; the next start does");
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.keep
            && let Err(error) = remove(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove a staging file; the next start does");
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
