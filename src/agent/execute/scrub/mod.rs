//! Reads a base and says whether its bytes are what they were.
//!
//! ```text
//! list of this very file? ─ yes ─→ read from the disk, piece by piece ─→ all equal: good
//!           │                                └ not equal ─→ read again; still so, nobody writes, nothing moved: damaged
//!           no ─→ read, hash beside (the image's, when it is known) ─→ equal: listed     not equal: damaged
//! ```
//!
//! At idle priority, at a rate, past the page cache. It changes nothing but the list; what is done about damage is decided
//! where all is known that uses the base. A base that is being written, or that changes meanwhile, is never called damaged.

mod compare;
mod reader;

pub use reader::{Expected, Finding, Progress, Read, Reader};
