//! `<dir>/queue`: an empty file for each image that is to be fetched, first come first served.

use crate::base::atomic_file::fsync_dir;
use crate::image::ImageId;
use fs2::FileExt;
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    time::SystemTime,
};

/// The folder of markers; its methods wait for the disk.
#[derive(Clone)]
pub(super) struct Queue {
    dir: PathBuf,
}

/// A marker that is being worked on; others leave it alone for as long as this lives.
pub(super) struct Taken {
    _locked: File,
}

// === impl Queue ===

impl Queue {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Puts an image at the end; one that is queued keeps its place.
    pub(super) fn add(&self, id: &ImageId) -> io::Result<()> {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o644).open(self.dir.join(id.as_str()));
        match made {
            Ok(file) => {
                // The kernel's own stamp is too coarse to tell two requests apart.
                file.set_modified(SystemTime::now())?;
                fsync_dir(&self.dir)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The images, the longest waiting one first.
    pub(super) fn list(&self) -> io::Result<Vec<ImageId>> {
        let mut found: Vec<(SystemTime, ImageId)> = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let Some(id) = entry.file_name().to_str().and_then(|it| it.parse().ok()) else { continue };
            // One that goes away meanwhile is queued no more.
            if let Ok(since) = entry.metadata().and_then(|it| it.modified()) {
                found.push((since, id));
            }
        }
        found.sort();
        Ok(found.into_iter().map(|it| it.1).collect())
    }

    /// Takes an image off; false when it was not queued.
    pub(super) fn remove(&self, id: &ImageId) -> io::Result<bool> {
        match fs::remove_file(self.dir.join(id.as_str())) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The marker of an image, to work on; none when it is gone or another program works on it.
    pub(super) fn take(&self, id: &ImageId) -> Option<Taken> {
        let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(self.dir.join(id.as_str())).ok()?;
        FileExt::try_lock_exclusive(&file).ok()?;
        Some(Taken { _locked: file })
    }
}
