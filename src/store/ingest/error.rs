//! Why data did not get in.

use crate::base::{ByteSize, digest::DigestError};
use crate::store::StoreError;

/// The data did not get into the store, and nothing of it is there.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The sender stopped, or the connection broke.
    #[error("the data stopped coming after {got} bytes")]
    Body {
        /// Bytes that came.
        got: u64,
        /// What happened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// More than is allowed.
    #[error("the image is larger than {}, the most that is accepted", ByteSize(*cap))]
    TooLarge {
        /// Most bytes.
        cap: u64,
        /// What was announced, when that was too much already.
        expected: Option<u64>,
    },
    /// Not as long as announced (Glance's words).
    #[error("Size {}: expected {expected} bytes, got {got} bytes", if got > expected { "exceeds" } else { "mismatch" })]
    Size {
        /// Bytes announced.
        expected: u64,
        /// Bytes that came; the count stops when it is too high.
        got: u64,
    },
    /// The store failed.
    #[error("the store did not take the data")]
    Store(#[source] StoreError),
    /// One of several stores failed.
    #[error("the store {store} did not take the data")]
    StoreOf {
        /// Its name.
        store: String,
        /// Why.
        source: StoreError,
    },
    /// There is no store to write to.
    #[error("there is no store that the data could go to")]
    NoStore,
    /// A hash failed.
    #[error("the data could not be hashed")]
    Digest(#[source] DigestError),
}
