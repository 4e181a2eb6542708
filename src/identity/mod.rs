//! Who asks, and what they may.
//!
//! ```text
//! request ─→ Authenticator (none | keystone | trusted headers) ─→ Caller ─→ policy::Enforcer ─→ yes, no, or not to be seen
//! ```

mod authenticator;
mod caller;
pub mod keystone;
pub mod policy;
pub mod protection;
pub mod quota;

pub use authenticator::{
    Asked, Authenticator, Flavour, InvalidPeer, OpenError, Refusal, Settings, TrustedPeer, UnknownFlavour,
};
pub use caller::{Caller, ServiceCaller};
