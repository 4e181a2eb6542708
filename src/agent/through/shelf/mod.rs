//! Original images that the endpoint keeps, in a folder of a bounded size.
//!
//! ```text
//! X.original     the data of image X, verified
//! X.pieces       its piece list, with what file and what hash it is of
//! .X.N.part      a download under way; nobody's after a crash
//! ```
//!
//! The list is there before the data is: a file without a list, or with another one's, goes at the next start. The least
//! recently used go when room is needed, and all go in the end when nobody asks for them.

mod draft;
mod folder;

pub(super) use draft::Draft;
pub(super) use folder::{NoPlace, clear};
pub(in crate::agent) use folder::{Rules, Shelf};
