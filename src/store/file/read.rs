//! Reading: blocks of 1 MiB, two at a time, on blocking threads.

use crate::store::{
    Blocks, StoreError,
    file::{Folder, blocking},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use nix::{
    fcntl::{OFlag, PosixFadviseAdvice, posix_fadvise},
    libc,
};
use std::{
    fs::{File, OpenOptions},
    io,
    ops::Range,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

const BLOCK: u64 = 1 << 20;

/// Reads under way beside each other.
const DEPTH: usize = 2;

/// Buffers of one stream, used again: fresh memory costs a page fault for each 4 KiB.
type Pool = Arc<Mutex<Vec<Vec<u8>>>>;

/// A buffer that goes back to its pool when the last slice of it is gone.
struct Pooled {
    buffer: Vec<u8>,
    len: usize,
    pool: Pool,
}

/// What one stream reads from.
struct Source {
    folder: Arc<Folder>,
    file: File,
    path: PathBuf,
    url: String,
    pool: Pool,
}

/// The file and its length. A symbolic link or anything else but a file is refused.
pub(super) fn open(folder: &Folder, path: &Path, url: &str) -> Result<(File, u64), StoreError> {
    let foreign = |why| StoreError::Foreign { url: url.to_owned(), store: folder.name.clone(), why };
    // O_NONBLOCK: a FIFO would let us wait for ever.
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(e) if e.raw_os_error() == Some(libc::ELOOP) => return Err(foreign("it is a symbolic link")),
        Err(e) => return Err(folder.failed_at("reading", path, url, e)),
    };
    let meta = file.metadata().map_err(|e| folder.failed("reading", path, url, e))?;
    if meta.is_file() { Ok((file, meta.len())) } else { Err(foreign("it is no file")) }
}

pub(super) async fn read(
    folder: Arc<Folder>,
    path: PathBuf,
    url: &str,
    range: Range<u64>,
) -> Result<Blocks, StoreError> {
    let url = url.to_owned();
    let span = range.clone();
    let source = blocking(move || {
        let (file, size) = open(&folder, &path, &url)?;
        if span.end > size || span.start > span.end {
            return Err(StoreError::Short { url, size, wanted: span.end.max(span.start) });
        }
        // Doubles the readahead; only a hint.
        let (start, len) = (span.start as i64, (span.end - span.start) as i64);
        let _ = posix_fadvise(&file, start, len, PosixFadviseAdvice::POSIX_FADV_SEQUENTIAL);
        Ok(Arc::new(Source { folder, file, path, url, pool: Pool::default() }))
    })
    .await?;
    let starts = stream::iter((range.start..range.end).step_by(BLOCK as usize));
    let blocks = starts.map(move |start| {
        let source = source.clone();
        let end = range.end.min(start + BLOCK);
        blocking(move || source.block(start, (end - start) as usize))
    });
    Ok(blocks.buffered(DEPTH).boxed())
}

// === impl Source ===

impl Source {
    fn block(&self, start: u64, len: usize) -> Result<Bytes, StoreError> {
        let free = self.pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffer = free.unwrap_or_else(|| vec![0; BLOCK as usize]);
        match self.file.read_exact_at(&mut buffer[..len], start) {
            Ok(()) => Ok(Bytes::from_owner(Pooled { buffer, len, pool: self.pool.clone() })),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                let size = self.file.metadata().map(|it| it.len()).unwrap_or_default();
                Err(StoreError::Short { url: self.url.clone(), size, wanted: start + len as u64 })
            }
            Err(e) => Err(self.folder.failed("reading", &self.path, &self.url, e)),
        }
    }
}

// === impl Pooled ===

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.len() < 2 * DEPTH {
            pool.push(std::mem::take(&mut self.buffer));
        }
    }
}
