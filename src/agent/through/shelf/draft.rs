//! A download under way.

use super::{
    Shelf,
    folder::{Entry, Label},
};
use crate::agent::{lists::FileId, plan::fetch::Reservation};
use crate::base::{atomic_file::fsync_dir, digest::Algorithm, pieces::Pieces};
use crate::image::ImageId;
use nix::{
    errno::Errno,
    fcntl::{FallocateFlags, fallocate},
};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    sync::Arc,
    time::SystemTime,
};

/// Its file goes with it, unless it was kept.
#[derive(Debug)]
pub(in crate::agent::through) struct Draft {
    shelf: Arc<Shelf>,
    id: ImageId,
    path: PathBuf,
    file: Arc<File>,
    size: u64,
    /// Held while the disk does not show yet what it takes.
    room: Option<Reservation>,
    kept: bool,
}

// === impl Draft ===

impl Draft {
    pub(super) fn new(shelf: Arc<Shelf>, id: ImageId, path: PathBuf, size: u64, room: Reservation) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        let length = i64::try_from(size).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        // A disk that is full says so now, not in the middle of a stream.
        let room = match fallocate(&file, FallocateFlags::empty(), 0, length) {
            Ok(()) => {
                room.landed(size);
                None
            }
            Err(Errno::EOPNOTSUPP) => Some(room),
            Err(error) => {
                let _ = fs::remove_file(&path);
                return Err(error.into());
            }
        };
        Ok(Self { shelf, id, path, file: Arc::new(file), size, room, kept: false })
    }

    /// What is written to, and read from meanwhile.
    pub(in crate::agent::through) fn file(&self) -> Arc<File> {
        self.file.clone()
    }

    /// So many bytes more are written.
    pub(in crate::agent::through) fn landed(&self, bytes: u64) {
        if let Some(room) = &self.room {
            room.landed(bytes);
        }
    }

    /// Its hash is right: it is kept, whatever comes. Blocking.
    ///
    /// # Errors
    /// What the system says; it is not kept then.
    pub(in crate::agent::through) fn keep(mut self, pieces: Pieces, hash: &(Algorithm, String)) -> io::Result<()> {
        self.file.sync_all()?;
        let label = Label::new(FileId::from(&self.file.metadata()?), hash);
        let (data, list) = (self.shelf.data(&self.id), self.shelf.list(&self.id));
        let text = serde_json::to_vec(&label)?;
        pieces.save(&list, &text)?;
        if let Err(error) = fs::rename(&self.path, &data) {
            let _ = fs::remove_file(&list);
            return Err(error);
        }
        fsync_dir(&self.shelf.folder)?;
        self.kept = true;
        let entry = Entry { label, pieces: Arc::new(pieces), used: SystemTime::now() };
        let mut state = self.shelf.lock();
        state.drafted -= self.size;
        state.kept.insert(self.id.clone(), entry);
        drop(state);
        self.shelf.show();
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        self.shelf.lock().drafted -= self.size;
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove a download; the next start does");
        }
    }
}
