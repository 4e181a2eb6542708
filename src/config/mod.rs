//! Files and environment → `Settings` of each part; the only reader of both.
//!
//! ```text
//! file ─→ sources ─┐                                    one line of text each, with its file
//! environment ─────┴→ options::read(visitor) ─→ settings, notes, or all bad values together
//!                     options::describe(visitor) ─→ sample        config/*.conf, --print-config
//! ```
//!
//! The format is oslo.config's. Each program has one visitor (`catalogue`, `agent`, `nova`) that binds every option
//! to its field; nothing else knows the names of options.

#[cfg(feature = "agent")]
mod agent;
#[cfg(feature = "catalogue")]
mod catalogue;
mod client;
mod error;
mod file;
#[cfg(feature = "catalogue")]
mod http;
#[cfg(feature = "catalogue")]
mod identity;
#[cfg(feature = "catalogue")]
mod imports;
mod load;
mod login;
mod logs;
mod notes;
#[cfg(feature = "catalogue")]
mod notifications;
#[cfg(feature = "agent")]
mod nova;
mod options;
#[cfg(feature = "agent")]
mod rules;
#[cfg(feature = "catalogue")]
mod s3;
mod sample;
mod signatures;
mod sources;
mod substitute;
#[cfg(feature = "catalogue")]
mod swift;
#[cfg(test)]
mod tests;
mod value;

#[cfg(feature = "agent")]
pub use agent::Agent;
#[cfg(feature = "catalogue")]
pub use catalogue::Catalogue;
pub use client::{ClientConfigError, DEV_ADDRESS, DEV_DIR, DEV_SOCKET, Environment};
pub use error::{ConfigError, Problem, Problems};
pub use load::Loaded;
#[cfg(feature = "agent")]
pub use load::{agent, agent_sample};
#[cfg(feature = "catalogue")]
pub use load::{catalogue, catalogue_sample};
pub use login::LoginError;
pub use notes::Note;
pub use sources::{Origin, Sources};
