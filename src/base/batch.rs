//! Groups small pieces of a stream into batches of about 1 MiB, without copying a byte.
//!
//! What a socket yields is often 8–64 KiB; handing each of those to another thread costs more than hashing it.

use bytes::Bytes;
use std::{fs::File, io, io::IoSlice, io::Write, sync::Arc};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Bytes from which on a batch is handed over.
pub const BATCH_BYTES: usize = 1 << 20;

/// Pieces from which on a batch is handed over, however small they are (IOV_MAX is 1024).
const BATCH_PIECES: usize = 512;

/// Batches of all streams together that may wait for a hash or a disk: one stream may run far ahead, which keeps its
/// threads busy however late the reading one is woken; many streams share the room. They are always worked off,
/// so whoever waits for a place gets it.
const WAITING: usize = 32;
static ROOM: Semaphore = Semaphore::const_new(WAITING);

/// Consecutive pieces of a stream; clones share the bytes.
#[derive(Clone, Debug)]
pub struct Batch(Arc<Held>);

#[derive(Debug)]
struct Held {
    pieces: Vec<Bytes>,
    len: usize,
    /// Given back with the last clone.
    #[expect(dead_code, reason = "held for its drop")]
    place: Option<SemaphorePermit<'static>>,
}

/// Collects pieces until they make a batch.
#[derive(Debug, Default)]
pub struct Batcher {
    pieces: Vec<Bytes>,
    len: usize,
}

// === impl Batch ===

impl Batch {
    /// The same batch with its place among those that wait; waits for one.
    pub async fn placed(self) -> Self {
        // Never closed, so there is always a place in the end.
        let place = ROOM.acquire().await.ok();
        match Arc::try_unwrap(self.0) {
            Ok(held) => Self(Arc::new(Held { place, ..held })),
            Err(shared) => Self(shared),
        }
    }

    /// Bytes in all pieces.
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// True when there is no byte in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pieces, in the order of the stream; none is empty.
    pub fn pieces(&self) -> &[Bytes] {
        &self.0.pieces
    }

    /// Writes all of it at the file's cursor, with as few calls as the kernel allows.
    pub fn write_to(&self, mut file: &File) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = self.pieces().iter().map(|it| IoSlice::new(it)).collect();
        let mut left = slices.as_mut_slice();
        while !left.is_empty() {
            match file.write_vectored(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => IoSlice::advance_slices(&mut left, n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

impl From<Bytes> for Batch {
    fn from(bytes: Bytes) -> Self {
        let len = bytes.len();
        let pieces = if len == 0 { Vec::new() } else { vec![bytes] };
        Self(Arc::new(Held { pieces, len, place: None }))
    }
}

// === impl Batcher ===

impl Batcher {
    /// Takes a piece; gives back a batch when there is enough for one.
    pub fn push(&mut self, bytes: Bytes) -> Option<Batch> {
        if bytes.is_empty() {
            return None;
        }
        self.len += bytes.len();
        self.pieces.push(bytes);
        if self.len >= BATCH_BYTES || self.pieces.len() >= BATCH_PIECES { self.take() } else { None }
    }

    /// What is left, if anything.
    pub fn take(&mut self) -> Option<Batch> {
        let len = std::mem::take(&mut self.len);
        let pieces = std::mem::take(&mut self.pieces);
        (len > 0).then(|| Batch(Arc::new(Held { pieces, len, place: None })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_every_byte_in_order() {
        let mut batcher = Batcher::default();
        let mut file = tempfile::tempfile().unwrap();
        let mut want = Vec::new();
        for i in 0..3000_usize {
            let piece = Bytes::from(vec![i as u8; (i * 37) % 4000]);
            want.extend_from_slice(&piece);
            if let Some(batch) = batcher.push(piece) {
                assert!(batch.len() < BATCH_BYTES + 4000 && batch.pieces().len() <= BATCH_PIECES);
                batch.write_to(&file).unwrap();
            }
        }
        batcher.take().unwrap().write_to(&file).unwrap();
        assert!(batcher.take().is_none());
        let mut got = Vec::new();
        io::Seek::rewind(&mut file).unwrap();
        io::Read::read_to_end(&mut file, &mut got).unwrap();
        assert!(got == want);
    }
}
