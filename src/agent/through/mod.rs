//! The read-through endpoint: nova-compute asks here for images, as it would ask the catalogue.
//!
//! ```text
//! nova ─→ serve ─┬─ all but image data ──────────────────────────────────────────────→ pass ─→ catalogue
//!                └─ GET …/file ─→ record (is there a hash?) ─→ permit (as this caller) ─┬ no: the catalogue's own answer
//!                                                                                      └ yes:
//!                     originals: a base that is the image's data, or the shelf ─→ verified piece by piece
//!                     flight:    one download for all who ask meanwhile        ─→ shelf, once its hash is right
//!                     neither:   the catalogue's stream, as it comes
//! ```
//!
//! Whether a caller may read is never judged here: the catalogue answers the data request itself, with the caller's token,
//! and only the bytes come from the node. In doubt they come from the catalogue, too.

mod bases;
mod counts;
mod data;
mod flight;
mod flights;
mod headers;
mod open;
mod original;
mod pass;
mod permit;
mod serve;
mod settings;
mod shelf;
#[cfg(test)]
mod tests;
mod wanted;

pub use open::ThroughError;
pub(in crate::agent) use open::{Parts, Through};
pub use settings::Settings;
pub(in crate::agent) use shelf::{Rules, Shelf};
