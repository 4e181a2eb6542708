//! Makes raw files of disk images, in a child process that can do nothing else.
//!
//! ```text
//! to_raw ── examine the source (refuse what stands on other files, lies about its size, is cut)
//!    │
//!    └─► `larder convert-worker` ── no new privileges, resource limits, Landlock ──► qcow2: imago, several threads
//!          │  progress on a pipe                                                └──► the rest: exec qemu-img
//!          ▼
//!        inspect the result: it must be raw, and be taken for raw by every reader
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
pub use run::{Converted, to_raw};
pub use settings::Settings;
pub use worker::{ConvertWorkerArgs, worker_main};
