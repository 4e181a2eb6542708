//! Signatures of images, verified while their data comes in.
//!
//! ```text
//!   properties ─→ Signature ─→ certificate (in the user's name, or of a folder) ─→ vouched for ─→ Signer
//!   data ─→ hashed beside the others ─→ Signer ─→ the data becomes visible, or nothing of it stays
//! ```
//!
//! Whose certificate it is is settled before the first byte. An import has it in its row, so that any process can go on
//! with it when the user's token is long gone.

mod anchors;
mod find;
mod kept;
mod settings;
#[cfg(test)]
mod tests;

pub use anchors::AnchorsError;
pub(super) use find::{Named, Signers, check};
pub(super) use kept::Kept;
pub use settings::Settings;
