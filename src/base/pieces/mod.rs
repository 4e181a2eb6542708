//! A file in pieces of 16 MiB, each with the BLAKE3 chaining value of its part of the tree.
//!
//! ```text
//! bytes ─→ PieceHasher ─→ Pieces (a list: size, one value a piece, root) ─→ a file with a checksum of its own
//!             └─ each piece as it closes ─→ Journal (a file that grows: what a crash cannot take)
//! walk(file) ─→ blocks from the disk itself ─→ PieceHasher ─→ compared with the list
//! ```
//!
//! The root of a list is the plain BLAKE3 of the file (what `b3sum` prints), so a list needs no trust of its own beyond
//! that of its root. One piece can be verified without the others.

mod aligned;
mod hasher;
mod journal;
mod list;
mod read;
#[cfg(test)]
mod tests;

pub use hasher::PieceHasher;
pub use journal::{Begun, Journal};
pub use list::{ListError, Pieces};
pub use read::{Block, Manner, Way, walk};

/// Length of a piece, bytes; the last one of a file may be shorter.
pub const PIECE_BYTES: u64 = 16 << 20;

/// The most pieces that a list has: a file of 16 TiB.
pub const MOST_PIECES: usize = 1 << 20;

/// The longest text that its owner keeps with a list, bytes.
pub const LONGEST_LABEL: usize = 4096;

/// BLAKE3's chaining value of one piece at its place in the file.
pub type Chain = [u8; 32];
