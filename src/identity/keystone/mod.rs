//! Tokens: who is behind a request, by Keystone's word.
//!
//! ```text
//! X-Auth-Token, X-Service-Token ─→ Validator (answers kept; one question per token) ─→ Client (logs in) ─→ Keystone v3
//! ```

pub(in crate::identity) mod client;
mod error;
mod settings;
mod token;
mod validator;

pub use crate::http::keystone::Credentials;
pub use error::KeystoneError;
pub use settings::{Connection, Settings};
pub use validator::Validator;
