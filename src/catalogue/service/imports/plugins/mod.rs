//! What happens to the data of an import between its source and the stores (`[image_import_opts] image_import_plugins`).
//!
//! ```text
//!   source ─→ plugin ─→ plugin ─→ … ─→ hashes, inspector, stores
//!                └──────────┴─→ Changes ─→ the image, in the transaction that makes it active
//! ```
//!
//! The plugins are Glance's, by name and by what they do. The data goes by: nothing is written in between unless a plugin
//! needs a file (`scratch`). Images that are copied to further stores are left as they are.

mod changes;
mod convert;
mod decompress;
mod introspect;
mod pipeline;
mod scratch;
mod settings;
#[cfg(test)]
mod tests;

pub(in crate::catalogue::service) use changes::Changes;
pub(super) use convert::Reserved;
pub(super) use decompress::DecompressError;
#[cfg(any(test, fuzzing))]
pub use decompress::fuzzed as fuzzed_decompression;
pub(super) use pipeline::Prepared;
pub(super) use scratch::images as images_with_scratch;
pub use settings::{Conversion, Decompression, Inject, Plugin, Settings, UnknownPlugin};
