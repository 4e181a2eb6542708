//! One image, from the catalogue to the base.
//!
//! ```text
//! ask ─→ refuse? ─→ room ─→ nova's lock ─→ there already? ─→ transfer ─→ length and hash ─→ inspect ─→ convert ─→ publish
//!                             └ held by nova: come back later   └ cut: go on by Range
//! ```
//!
//! Nothing is visible before all of it is right. What ends it early and may pass (the network, a stop, `kill -9`) leaves
//! the download and the journal of its pieces: the next try verifies those and goes on behind them. All else leaves no file.

mod elsewhere;
mod error;
mod fetcher;
mod landing;
mod reserve;
mod resume;
mod sink;
mod tracking;
mod transfer;

pub use error::{FetchError, TransferError};
pub(in crate::agent::execute) use fetcher::Work;
pub use fetcher::{Fetcher, Limits, Outcome};
