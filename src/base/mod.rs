//! The ground floor: digests, atomic files, file locks, byte sizes, ranges. It knows no images.

pub mod atomic_file;
pub mod batch;
pub mod byte_size;
pub mod chain;
pub mod digest;
pub mod dir_lock;
pub mod ofd_lock;
pub mod range;
pub mod secret;
pub mod space;
pub mod sparse;

pub use batch::{Batch, Batcher};
pub use byte_size::ByteSize;
pub use chain::chain;
pub use range::ByteRange;
pub use secret::Secret;
pub use sparse::SparseWriter;
