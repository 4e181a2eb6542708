//! The calls of the Image API that Larder makes.

mod download;
mod images;
mod imports;
mod upload;
mod verify;

pub use download::Download;
pub use imports::RemoteTask;

use crate::remote::{RemoteError, Settings, session::Session};
use std::sync::Arc;

/// A catalogue: Larder's or a stock Glance. Clones share the login and the connections.
#[derive(Clone)]
pub struct Catalogue {
    pub(super) session: Arc<Session>,
}

impl Catalogue {
    /// Reads the CA file, but connects to nobody yet: the login happens with the first call.
    pub fn new(settings: Settings) -> Result<Self, RemoteError> {
        Ok(Self { session: Arc::new(Session::new(settings)?) })
    }

    /// Where the catalogue is, for people: its endpoint, or the Keystone that knows it.
    pub fn describe(&self) -> String {
        self.session.settings().place("the image service")
    }
}

impl std::fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Catalogue").field(&self.describe()).finish()
    }
}
