//! The list of a whole file, and its form on disk.
//!
//! ```text
//! "larder pieces 1\n"  size u64  length of a piece u64  length of the label u64  label  values, 32 bytes each  root
//! BLAKE3 of all before it
//! ```
//!
//! Numbers are little-endian.

use super::{
    Chain, LONGEST_LABEL, MOST_PIECES, PIECE_BYTES,
    hasher::{chain, root},
};
use crate::base::atomic_file;
use std::{
    fmt::Write,
    fs::File,
    io::{self, Read},
    ops::Range,
    path::{Path, PathBuf},
};

const MAGIC: &[u8; 16] = b"larder pieces 1\n";
const HEAD: usize = 16 + 3 * 8;
const SUM: usize = 32;
/// The longest list on disk.
const LONGEST: u64 = (HEAD + LONGEST_LABEL + (MOST_PIECES + 1) * 32 + SUM) as u64;

/// What a file is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pieces {
    size: u64,
    chains: Vec<Chain>,
    root: Chain,
}

/// A list could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The file could not be read.
    #[error("cannot read the piece list {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not as it was written.
    #[error("the piece list {} is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

// === impl Pieces ===

impl Pieces {
    pub(super) fn new(size: u64, chains: Vec<Chain>, root: Chain) -> Self {
        Self { size, chains, root }
    }

    /// Length of the file, bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The values, in the order of the file.
    pub fn chains(&self) -> &[Chain] {
        &self.chains
    }

    /// How many pieces there are; none for an empty file.
    pub fn count(&self) -> usize {
        self.chains.len()
    }

    /// The plain BLAKE3 of the file, as `b3sum` prints it.
    pub fn root(&self) -> String {
        self.root.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Where a piece lies in the file; none when there is no such piece.
    pub fn range(&self, piece: usize) -> Option<Range<u64>> {
        (piece < self.chains.len()).then(|| {
            let start = piece as u64 * PIECE_BYTES;
            start..self.size.min(start + PIECE_BYTES)
        })
    }

    /// Whether these are the bytes of that piece.
    pub fn verify(&self, piece: usize, bytes: &[u8]) -> bool {
        let fits = self.range(piece).is_some_and(|range| range.end - range.start == bytes.len() as u64);
        fits && chain(piece, bytes).is_some_and(|got| got == self.chains[piece])
    }

    /// The list as it is written; `label` is its owner's, at most [`LONGEST_LABEL`] bytes.
    pub fn encode(&self, label: &[u8]) -> Vec<u8> {
        let label = &label[..label.len().min(LONGEST_LABEL)];
        let mut bytes = Vec::with_capacity(HEAD + label.len() + (self.chains.len() + 1) * 32 + SUM);
        bytes.extend_from_slice(MAGIC);
        for number in [self.size, PIECE_BYTES, label.len() as u64] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(label);
        self.chains.iter().for_each(|it| bytes.extend_from_slice(it));
        bytes.extend_from_slice(&self.root);
        let sum = blake3::hash(&bytes);
        bytes.extend_from_slice(sum.as_bytes());
        bytes
    }

    /// The list and its label; none when the bytes are not what [`Pieces::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Option<(Self, Vec<u8>)> {
        let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(SUM)?)?;
        if blake3::hash(body).as_bytes() != sum {
            return None;
        }
        let (head, rest) = body.split_at_checked(HEAD)?;
        let (magic, numbers) = head.split_at(16);
        let [size, piece_bytes, label_len] = [0, 8, 16].map(|at| number(&numbers[at..at + 8]));
        if magic != MAGIC || piece_bytes != PIECE_BYTES {
            return None;
        }
        let label_len = usize::try_from(label_len).ok().filter(|it| *it <= LONGEST_LABEL)?;
        let (label, rest) = rest.split_at_checked(label_len)?;
        let (values, odd) = rest.as_chunks::<32>();
        let (root_value, chains) = values.split_last()?;
        let count = usize::try_from(size.div_ceil(PIECE_BYTES)).ok().filter(|it| *it <= MOST_PIECES)?;
        if !odd.is_empty() || chains.len() != count {
            return None;
        }
        // Of one piece, only its bytes say whether the root is right.
        if count > 1 && root(chains) != Some(*root_value) {
            return None;
        }
        Some((Self::new(size, chains.to_vec(), *root_value), label.to_vec()))
    }

    /// Writes it aside, syncs, renames: the file at `path` is the old or the new one whenever the power goes.
    ///
    /// # Errors
    /// What the system says.
    pub fn save(&self, path: &Path, label: &[u8]) -> io::Result<()> {
        atomic_file::write(path, &self.encode(label))
    }

    /// The list at `path` with its label; none when there is none.
    ///
    /// # Errors
    /// [`ListError`]
    pub fn load(path: &Path) -> Result<Option<(Self, Vec<u8>)>, ListError> {
        let bytes = match bounded(path, LONGEST) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ListError::Read { path: path.to_owned(), source }),
        };
        match Self::decode(&bytes) {
            Some(list) => Ok(Some(list)),
            None => Err(ListError::Damaged { path: path.to_owned() }),
        }
    }
}

/// A whole file, unless it is longer than any of ours can be: then its beginning, which no checksum fits.
pub(super) fn bounded(path: &Path, longest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(longest).read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
