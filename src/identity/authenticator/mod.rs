//! From a request to its caller, by the flavour that is configured.

mod asked;
mod authenticate;
mod flavour;
mod trusted;

#[cfg(test)]
mod tests;

pub use asked::{Asked, Refusal};
pub use authenticate::{Authenticator, OpenError, Settings};
pub use flavour::{Flavour, UnknownFlavour};
pub use trusted::{InvalidPeer, TrustedPeer};
