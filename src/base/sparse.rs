//! Writes a file front to back and leaves holes where the data is zeros.

use bytes::Bytes;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::{
    fs::File,
    io,
    os::{fd::AsRawFd, unix::fs::FileExt},
};

/// Granularity of holes, bytes: an aligned block of this length that is all zeros takes no room on disk.
pub const HOLE_BYTES: usize = 64 << 10;

/// Every so many bytes the kernel is told to start writing.
const FLUSH_BYTES: u64 = 8 << 20;

static ZEROS: [u8; HOLE_BYTES] = [0; HOLE_BYTES];

/// A blocking writer that turns zeros into holes.
///
/// Call it on a blocking thread. The file is complete only after [`SparseWriter::finish`].
#[derive(Debug)]
pub struct SparseWriter {
    file: File,
    at: u64,
    flush: FlushBehind,
}

/// Lets the kernel write what was written some MiB ago, so that the fsync at the end finds little to do.
#[derive(Debug)]
pub struct FlushBehind {
    dropped: u64,
    flushed: u64,
    cache: Cache,
}

/// What becomes of the pages that were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// They stay in the page cache: somebody will read the file soon.
    Keep,
    /// They leave it once they are on disk, so that the guests' pages stay.
    Drop,
}

// === impl SparseWriter ===

impl SparseWriter {
    /// Starts at the beginning; what the file holds is cut off.
    pub fn new(file: File, cache: Cache) -> io::Result<Self> {
        Self::resume(file, 0, cache)
    }

    /// Goes on at `at`; what the file holds beyond that is cut off, since the holes must read as zeros.
    pub fn resume(file: File, at: u64, cache: Cache) -> io::Result<Self> {
        file.set_len(at)?;
        Ok(Self { file, at, flush: FlushBehind::new(at, cache) })
    }

    /// Bytes written so far, holes included.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Writes all of `data`.
    pub fn write(&mut self, data: &[u8]) -> io::Result<()> {
        let mut rest = data;
        // Neighbouring blocks with data go out in one call.
        let (mut run_start, mut run_len) = (0, 0);
        let mut offset = 0;
        while !rest.is_empty() {
            let to_boundary = HOLE_BYTES - ((self.at + offset as u64) % HOLE_BYTES as u64) as usize;
            let (block, tail) = rest.split_at(to_boundary.min(rest.len()));
            if *block == ZEROS[..block.len()] {
                self.file.write_all_at(&data[run_start..run_start + run_len], self.at + run_start as u64)?;
                (run_start, run_len) = (offset + block.len(), 0);
            } else {
                run_len += block.len();
            }
            offset += block.len();
            rest = tail;
        }
        self.file.write_all_at(&data[run_start..run_start + run_len], self.at + run_start as u64)?;
        self.at += data.len() as u64;
        self.flush.written(&self.file, self.at);
        Ok(())
    }

    /// Writes all pieces.
    pub fn write_pieces(&mut self, pieces: &[Bytes]) -> io::Result<()> {
        pieces.iter().try_for_each(|piece| self.write(piece))
    }

    /// Gives the file its length and hands it back; it is not yet synced.
    pub fn finish(self) -> io::Result<File> {
        self.file.set_len(self.at)?;
        Ok(self.file)
    }
}

// === impl FlushBehind ===

impl FlushBehind {
    /// Writing begins at `at`.
    pub fn new(at: u64, cache: Cache) -> Self {
        Self { dropped: at, flushed: at, cache }
    }

    /// Everything before `at` has been written. Hints to the kernel, so their results are of no matter.
    pub fn written(&mut self, file: &File, at: u64) {
        if at.saturating_sub(self.flushed) < FLUSH_BYTES {
            return;
        }
        start_writeback(file, self.flushed, at - self.flushed);
        if matches!(self.cache, Cache::Drop) {
            // The window before this one is on disk by now, so this drops it.
            let (from, len) = (self.dropped, self.flushed - self.dropped);
            let _ = posix_fadvise(file, from as i64, len as i64, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
            self.dropped = self.flushed;
        }
        self.flushed = at;
    }
}

/// Starts to write dirty pages without waiting for any. POSIX_FADV_DONTNEED does that too, but waits for every
/// processor to empty its page lists, and so for the hashes.
#[expect(unsafe_code, reason = "sync_file_range(2) has no safe wrapper")]
fn start_writeback(file: &File, from: u64, len: u64) {
    // SAFETY: a valid descriptor and numbers; the call touches no memory of ours.
    let _ = unsafe {
        nix::libc::sync_file_range(file.as_raw_fd(), from as i64, len as i64, nix::libc::SYNC_FILE_RANGE_WRITE)
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::MetadataExt;

    fn written(chunks: &[Vec<u8>]) -> (Vec<u8>, u64) {
        let file = tempfile::tempfile().unwrap();
        let mut writer = SparseWriter::new(file, Cache::Drop).unwrap();
        chunks.iter().for_each(|it| writer.write(it).unwrap());
        let file = writer.finish().unwrap();
        let meta = file.metadata().unwrap();
        let mut back = vec![1; meta.len() as usize];
        file.read_exact_at(&mut back, 0).unwrap();
        (back, meta.blocks() * 512)
    }

    #[test]
    fn zeros_take_no_room_however_they_are_cut() {
        let mut want = vec![0_u8; 8 << 20];
        want[3 << 20..(3 << 20) + 4096].fill(7);
        for size in [1000, 4096, 65536, 1 << 20, 8 << 20] {
            let (back, allocated) = written(&want.chunks(size).map(<[u8]>::to_vec).collect::<Vec<_>>());
            assert!(back == want, "chunks of {size}");
            assert!(allocated <= 2 * HOLE_BYTES as u64, "chunks of {size}: {allocated} bytes allocated");
        }
    }

    #[test]
    fn resuming_forgets_what_was_beyond() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[9; 300_000], 0).unwrap();
        let mut writer = SparseWriter::resume(file, 100_000, Cache::Keep).unwrap();
        writer.write(&[0; 200_000]).unwrap();
        let file = writer.finish().unwrap();
        let mut back = vec![1; 300_000];
        file.read_exact_at(&mut back, 0).unwrap();
        assert!(back[..100_000].iter().all(|b| *b == 9) && back[100_000..].iter().all(|b| *b == 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn what_is_written_is_read(
            runs in proptest::collection::vec((0_usize..200_000, prop_oneof![Just(0_u8), any::<u8>()]), 0..12),
            chunk in 1_usize..150_000,
        ) {
            let want: Vec<u8> = runs.iter().flat_map(|(len, byte)| std::iter::repeat_n(*byte, *len)).collect();
            let (back, _) = written(&want.chunks(chunk).map(<[u8]>::to_vec).collect::<Vec<_>>());
            prop_assert!(back == want);
        }
    }
}
