//! Images that are gone at the catalogue: asked about, and believed with care.
//!
//! ```text
//! feed: an image is named ─┐
//! every so often: all ─────┴→ list, then each that is not listed ─→ 404 or a status, for this id
//!        an error, a 401, a 5xx, a catalogue without images ─→ nothing is known, nothing goes
//!        most images gone at once, and nobody was told ─→ held for `mass_removal_wait`
//! ```

mod ask;
mod believe;
mod watch;

pub(super) use watch::{Watch, watch};
