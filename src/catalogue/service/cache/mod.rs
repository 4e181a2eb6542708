//! The image cache of this node: `image_cache_dir`, in Glance's layout.
//!
//! ```text
//! <dir>/<image id>            a file that was verified before it got this name (Glance's own files are verified when found)
//! <dir>/incomplete/…          what is being written; a lock says that its writer lives
//! <dir>/invalid/…             what Glance leaves there; removed by `clean`
//! <dir>/queue/<image id>      an empty marker: to be fetched; a lock says that somebody does
//! ```
//!
//! The folder and the tables `node_reference` and `cached_images` are all the state there is, so that several programs
//! can work on one folder. A row without a checksum is a file that was not verified: nothing is served from it.
//!
//! ```text
//! download ─→ serve ── hit ─→ the file; should it fail, the rest comes from the store
//!                  └─ miss ─→ the store, and beside it `fill`, which never holds the client back
//! queue ─→ prefetch ─→ the store ─→ fill
//! tidy: adopt and verify, forget deleted images, prune, clean
//! ```

mod fill;
mod open;
mod prefetch;
mod queue;
mod serve;
mod settings;
mod tidy;
mod verbs;

pub use crate::catalogue::tables::cached::Cached as CachedImage;
pub(crate) use open::Cache;
pub use open::CacheError;
pub use prefetch::Prefetched;
pub(super) use serve::{Serving, hit, miss};
pub use settings::{Driver, Settings, UnknownDriver};
pub use tidy::{Cleaned, Pruned};
pub use verbs::{CacheState, Target};
