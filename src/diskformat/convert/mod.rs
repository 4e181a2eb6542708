//! Makes files of one format of disk images of another, in a child process that can do nothing else.
//!
//! ```text
//! convert ── examine the source (refuse what stands on other files, lies about its size, is cut)
//!    │
//!    └─► `larder convert-worker` ── no new privileges, resource limits, Landlock, no sockets ──► qcow2 to raw: imago, several threads
//!          │  progress on a pipe                                                            └──► the rest: exec qemu-img
//!          ▼
//!        inspect the result: it must be of the target's format, and be taken for that by every reader
//! ```
//!
//! Nothing is left at the target unless the whole succeeded. The target is *not* synced to disk: whoever publishes it
//! does that.

mod child;
mod error;
mod examine;
mod jail;
mod qcow2;
mod run;
mod settings;
mod worker;

pub use error::ConvertError;
pub use run::{Converted, convert, to_raw};
pub use settings::{Output, Settings, UnknownOutput};
pub use worker::{ConvertWorkerArgs, worker_main};
