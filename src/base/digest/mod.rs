//! Hashes of a stream, each on a thread of its own.
//!
//! The system's libcrypto does the work where it is there (found at run time; 15–25 % faster), pure Rust otherwise.
//!
//! ```text
//! update(Bytes) ─→ batches of 1 MiB ─┬─→ queue of 2 ─→ thread: md5     ─→ finish()
//!                                    └─→ queue of 2 ─→ thread: sha512  ─→
//! ```

mod algorithm;
mod digests;
mod hasher;
mod libcrypto;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use digests::{DigestError, Digests};
pub use hasher::Hasher;

#[cfg(test)]
mod tests;
