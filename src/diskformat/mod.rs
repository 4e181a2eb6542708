//! Recognising, judging and converting disk images.
//!
//! [`Inspector`] takes the bytes of an image as they pass by, in chunks of any size, and says at the end what they
//! are: the format, the size that a guest sees, and what is unsafe about it. It follows oslo.utils'
//! `format_inspector`, which Glance and Nova judge images with; where that is laxer than qemu, it follows qemu.
//! [`references`] reads which other files a disk on this machine stands on. [`convert`] makes raw files of the rest.
//!
//! ```text
//! bytes ─► Inspector ─► Inspection ─► accept_as        (a catalogue's upload: Glance's rules)
//!                                 └─► accept_for_base  (a node's base: Nova's rules)
//! ```
//!
//! Nothing here trusts a byte of an image: every read is bounded and no input panics.

mod accept;
pub mod backing;
mod bytes;
#[cfg(any(feature = "agent", feature = "catalogue"))]
pub mod convert;
mod extent;
mod file;
mod format;
#[cfg(any(test, fuzzing))]
pub mod fuzzed;
mod inspection;
mod inspector;
mod recognise;
#[cfg(test)]
mod tests;

pub use accept::{Refusal, Rules};
pub use backing::{Backing, BackingError, References, backing_file, references};
pub use extent::raw_bytes;
pub use file::inspect;
pub use format::Format;
pub use inspection::{Details, Inspection, Problem};
pub use inspector::Inspector;
