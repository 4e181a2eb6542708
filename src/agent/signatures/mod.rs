//! Signatures of images: whether they are asked for, and whose certificates count. What they are is in
//! [`crate::image::signature`], where certificates come from in [`crate::remote::certificates`].

mod settings;
mod signer;
#[cfg(test)]
mod tests;

pub use settings::{Settings, UnknownVerify, Verify};
pub use signer::{SignerError, Signers};
