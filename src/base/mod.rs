//! The ground floor: digests, certificates, atomic files, file locks, byte sizes, ranges, throttle. It knows no images.

pub mod atomic_file;
pub mod batch;
pub mod byte_size;
pub mod certificate;
pub mod chain;
pub mod digest;
pub mod dir_lock;
pub mod io_class;
mod libcrypto;
pub mod ofd_lock;
pub mod pace;
pub mod pieces;
pub mod pressure;
pub mod priority;
pub mod range;
pub mod secret;
pub mod space;
pub mod sparse;
pub mod throttle;

pub use batch::{Batch, Batcher};
pub use byte_size::ByteSize;
pub use chain::chain;
pub use range::ByteRange;
pub use secret::Secret;
pub use sparse::SparseWriter;
