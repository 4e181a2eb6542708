//! X.509 certificates: reading one, verifying what its key has signed, and whether a trusted one vouches for it. Pure.
//!
//! RSA, DSA and the curves P-256, P-384 and P-521 are computed in Rust; for all other keys the system's libcrypto is asked,
//! where it is there and knows them.

mod chain;
mod key;
mod read;
mod system;
#[cfg(test)]
mod tests;

pub use chain::{Anchor, ChainError, check_chain};
pub use key::{KeyKind, Scheme, VerifyError};
pub use read::{Certificate, NotACertificate};
