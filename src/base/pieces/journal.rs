//! The pieces of a file that is still being written, noted one by one.
//!
//! ```text
//! "larder begun 1\n\0"  length of the label u64  label  BLAKE3 of all before it     then, a piece at a time:
//! value, 32 bytes   the first 8 bytes of BLAKE3(that sum, number of the piece u64, value)
//! ```
//!
//! A record that a crash has cut or a disk has changed ends the journal there; what it says is compared with the file
//! before it counts.

use super::{
    Chain, LONGEST_LABEL, MOST_PIECES,
    list::{bounded, number},
};
use crate::base::atomic_file;
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
};

const MAGIC: &[u8; 16] = b"larder begun 1\n\0";
const HEAD: usize = 16 + 8;
const SUM: usize = 32;
const RECORD: usize = 32 + 8;
const LONGEST: u64 = (HEAD + LONGEST_LABEL + SUM + MOST_PIECES * RECORD) as u64;

/// Open for the next piece.
#[derive(Debug)]
pub struct Journal {
    file: File,
    seed: [u8; SUM],
    count: usize,
}

/// What a journal says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begun {
    /// Its owner's text.
    pub label: Vec<u8>,
    /// The pieces that were complete, from the first one on.
    pub chains: Vec<Chain>,
}

// === impl Journal ===

impl Journal {
    /// A journal at `path` that says this, in place of any other.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(path: &Path, label: &[u8], chains: &[Chain]) -> io::Result<Self> {
        let label = &label[..label.len().min(LONGEST_LABEL)];
        let mut bytes = head(label);
        let seed = *blake3::hash(&bytes).as_bytes();
        bytes.extend_from_slice(&seed);
        chains.iter().enumerate().for_each(|(piece, chain)| bytes.extend_from_slice(&record(&seed, piece, chain)));
        atomic_file::write(path, &bytes)?;
        let file = OpenOptions::new().append(true).open(path)?;
        Ok(Self { file, seed, count: chains.len() })
    }

    /// Notes the next piece; it outlives the process from here on, and a power cut after [`Journal::sync`].
    ///
    /// # Errors
    /// What the system says.
    pub fn add(&mut self, chain: &Chain) -> io::Result<()> {
        if self.count >= MOST_PIECES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.file.write_all(&record(&self.seed, self.count, chain))?;
        self.count += 1;
        Ok(())
    }

    /// Another handle on it, for [`Journal::sync`] on another thread.
    ///
    /// # Errors
    /// What the system says.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { file: self.file.try_clone()?, seed: self.seed, count: self.count })
    }

    /// Makes all that was noted survive a power cut.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

// === impl Begun ===

impl Begun {
    /// What the journal at `path` says; none when there is none, or none of it is of use.
    ///
    /// # Errors
    /// What the system says.
    pub fn load(path: &Path) -> io::Result<Option<Self>> {
        match bounded(path, LONGEST) {
            Ok(bytes) => Ok(Self::decode(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// As far as the bytes are what [`Journal`] wrote; none when not even the label is.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.split_at_checked(HEAD)?;
        let (magic, label_len) = numbers.split_at(16);
        let label_len = usize::try_from(number(label_len)).ok().filter(|it| *it <= LONGEST_LABEL)?;
        let (label, rest) = rest.split_at_checked(label_len)?;
        let (seed, records) = rest.split_first_chunk::<SUM>()?;
        if magic != MAGIC || blake3::hash(&bytes[..HEAD + label_len]).as_bytes() != seed {
            return None;
        }
        let (records, _) = records.as_chunks::<RECORD>();
        let sound = records.iter().take(MOST_PIECES).enumerate().map_while(|(piece, bytes)| {
            let chain = bytes.first_chunk::<32>()?;
            (record(seed, piece, chain) == *bytes).then_some(*chain)
        });
        Some(Self { label: label.to_vec(), chains: sound.collect() })
    }
}

fn head(label: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + label.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(label.len() as u64).to_le_bytes());
    bytes.extend_from_slice(label);
    bytes
}

fn record(seed: &[u8; SUM], piece: usize, chain: &Chain) -> [u8; RECORD] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(seed).update(&(piece as u64).to_le_bytes()).update(chain);
    let mut bytes = [0; RECORD];
    bytes[..32].copy_from_slice(chain);
    bytes[32..].copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    bytes
}
