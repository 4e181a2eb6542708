//! The client of a catalogue: Larder's, or a stock Glance under Keystone.
//!
//! It logs in at Keystone, finds the image service in the token's catalogue, and speaks the Image API v2. Bodies of
//! images stream; all other bodies are bounded. It retries nothing but a refused token: [`RemoteError`] says whether
//! trying again makes sense, and callers decide when.
//!
//! ```text
//! Catalogue ────────────────┬─→ Session (token, endpoint; one login at a time) ─→ Transport (connections, timeouts)
//! certificates::KeyManager ─┘
//! ```

mod cache;
mod catalogue;
pub mod certificates;
mod error;
mod fleet;
mod forward;
mod keystone;
mod session;
mod settings;
mod transport;

pub use crate::base::Secret;
pub use crate::wire::image::RemoteImage;
pub use cache::{CacheListing, CachedEntry, Clear};
pub use catalogue::{Catalogue, Download, RemoteTask};
pub use error::RemoteError;
pub use fleet::Changes;
pub use forward::{Forward, Passing};
pub use settings::{ApplicationCredential, Auth, Password, Settings};
