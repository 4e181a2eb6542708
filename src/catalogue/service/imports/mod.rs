//! Data that the server fetches, takes over from staging or copies, behind the request that asked for it.
//!
//! ```text
//!   stage     queued → uploading         the data stands in the staging folder
//!   request   → importing                one transaction: status, task, and a row in `larder_imports`
//!   work      any process takes the row  read once → plugins → hashed once → every store, aside
//!   judged    content against format     where the objects will stand is announced, then they stand
//!   settle    → active, or → queued      one transaction: locations, hashes, task; the row goes
//! ```
//!
//! A process that dies leaves the row: another one takes it and begins anew from the staged data, from the web server or
//! from the store that has the image. One that only seemed dead finds that the row is not its own any more, and writes
//! nothing. So no image stays `importing`, and whoever deletes an image ends its import.

mod elsewhere;
mod lock;
mod measure;
mod order;
mod plugins;
mod progress;
mod request;
mod run;
mod settle;
mod source;
mod stage;
mod staging;
mod stuck;
#[cfg(test)]
mod tests;
mod tokens;
mod verify;
mod work;

pub(super) use lock::{LOCK, check as check_lock};
pub(super) use measure::enter as enter_measuring;
pub(super) use order::InPlace;
pub(super) use plugins::Changes;
#[cfg(any(test, fuzzing))]
pub use plugins::fuzzed_decompression;
pub use plugins::{Conversion, Decompression, Inject, Plugin, Settings as PluginSettings, UnknownPlugin};
pub use request::NewImport;
pub(super) use staging::Staging;
#[cfg(test)]
pub(super) use tests::{direct, staging_files, work};
pub(super) use work::Desk;

/// Which stores an image's data is on its way to.
const IMPORTING: &str = "os_glance_importing_to_stores";

/// Which stores did not take it.
const FAILED: &str = "os_glance_failed_import";

/// Which Glance has the staged data.
const STAGE_HOST: &str = "os_glance_stage_host";
