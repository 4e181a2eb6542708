//! Bytes to pieces.

use super::{Chain, PIECE_BYTES, Pieces};
use blake3::{
    Hasher,
    hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root},
};

/// Hashes a stream from its first byte on, piece by piece, in the calling thread.
#[derive(Clone, Debug)]
pub struct PieceHasher {
    chains: Vec<Chain>,
    current: Hasher,
    /// Bytes in `current`.
    filled: u64,
    /// The first piece, once it is closed: a file of one piece has it as its root.
    first: Option<Hasher>,
}

// === impl PieceHasher ===

impl Default for PieceHasher {
    fn default() -> Self {
        Self { chains: Vec::new(), current: at(0), filled: 0, first: None }
    }
}

impl PieceHasher {
    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = PIECE_BYTES - self.filled;
            let take = usize::try_from(room).map_or(bytes.len(), |room| room.min(bytes.len()));
            let (now, later) = bytes.split_at(take);
            self.current.update(now);
            self.filled += now.len() as u64;
            if self.filled == PIECE_BYTES {
                self.close();
            }
            bytes = later;
        }
    }

    /// The pieces that are complete.
    pub fn closed(&self) -> &[Chain] {
        &self.chains
    }

    /// The value of the piece that is not complete; none when there is no byte of it.
    pub fn open(&self) -> Option<Chain> {
        (self.filled > 0).then(|| self.current.finalize_non_root())
    }

    /// Bytes taken so far.
    pub fn taken(&self) -> u64 {
        self.chains.len() as u64 * PIECE_BYTES + self.filled
    }

    /// Forgets everything after the first `pieces` complete ones: the stream goes on from there.
    pub fn truncate(&mut self, pieces: usize) {
        self.chains.truncate(pieces);
        if self.chains.is_empty() {
            self.first = None;
        }
        self.current = at(self.chains.len());
        self.filled = 0;
    }

    /// Passes over everything before this piece, whose bytes are not to be had: the values of what is left out are not
    /// those of the file, and so is the root.
    pub fn skip_to(&mut self, piece: usize) {
        self.chains.resize(piece.max(self.chains.len()), [0; 32]);
        self.first = None;
        self.current = at(self.chains.len());
        self.filled = 0;
    }

    /// The list of all that was taken; the last piece is closed, however short it is.
    pub fn finish(mut self) -> Pieces {
        let size = self.taken();
        if self.filled > 0 {
            self.close();
        }
        let root = match (self.chains.as_slice(), &self.first) {
            ([_], Some(first)) => *first.finalize().as_bytes(),
            (chains, _) => root(chains).unwrap_or_else(|| *blake3::hash(&[]).as_bytes()),
        };
        Pieces::new(size, self.chains, root)
    }

    fn close(&mut self) {
        self.chains.push(self.current.finalize_non_root());
        let next = at(self.chains.len());
        let closed = std::mem::replace(&mut self.current, next);
        self.filled = 0;
        if self.chains.len() == 1 {
            self.first = Some(closed);
        }
    }
}

/// The value of one whole piece.
pub(super) fn chain(piece: usize, bytes: &[u8]) -> Option<Chain> {
    // BLAKE3 has no subtree without bytes.
    (!bytes.is_empty()).then(|| at(piece).update(bytes).finalize_non_root())
}

/// The root over two pieces or more; BLAKE3's left part is the largest power of two that leaves something to the right.
pub(super) fn root(chains: &[Chain]) -> Option<Chain> {
    let (left, right) = halves(chains)?;
    Some(*merge_subtrees_root(&subtree(left)?, &subtree(right)?, Mode::Hash).as_bytes())
}

fn subtree(chains: &[Chain]) -> Option<Chain> {
    match halves(chains) {
        None => chains.first().copied(),
        Some((left, right)) => Some(merge_subtrees_non_root(&subtree(left)?, &subtree(right)?, Mode::Hash)),
    }
}

fn halves(chains: &[Chain]) -> Option<(&[Chain], &[Chain])> {
    (chains.len() > 1).then(|| chains.split_at(1 << (chains.len() - 1).ilog2()))
}

fn at(piece: usize) -> Hasher {
    let mut hasher = Hasher::new();
    hasher.set_input_offset(piece as u64 * PIECE_BYTES);
    hasher
}
