//! One image, from the catalogue to the base.
//!
//! ```text
//! ask ─→ refuse? ─→ room ─→ nova's lock ─→ there already? ─→ transfer ─→ length and hash ─→ inspect ─→ convert ─→ publish
//!                             └ held by nova: come back later   └ cut: go on by Range
//! ```
//!
//! Nothing is visible before all of it is right; whatever ends it early leaves no file behind.

mod error;
mod fetcher;
mod sink;
mod transfer;

pub use error::{FetchError, TransferError};
pub use fetcher::{Fetcher, Limits, Outcome};
