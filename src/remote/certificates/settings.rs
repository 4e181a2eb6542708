//! What an operator sets about where certificates come from.

use crate::remote;
use std::path::PathBuf;

/// Where certificates come from, with defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `certificate_directory`: a folder with `<id>.pem`, `.crt` or `.der`; set, it stands in place of a key manager.
    pub folder: Option<PathBuf>,
    /// `[key_manager] backend` (castellan's): `barbican` is the only one that is spoken.
    pub backend: String,
    /// Barbican, and the login there.
    pub barbican: remote::Settings,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        let barbican = remote::Settings { service_type: "key-manager".to_owned(), ..remote::Settings::default() };
        Self { folder: None, backend: "barbican".to_owned(), barbican }
    }
}

impl Settings {
    /// castellan knows its drivers by a short name and by the name of their class.
    pub(super) fn is_barbican(&self) -> bool {
        ["", "barbican", "castellan.key_manager.barbican_key_manager.BarbicanKeyManager"]
            .contains(&self.backend.as_str())
    }

    /// What is said of any other one.
    pub(super) fn other_backend(&self) -> String {
        format!("[key_manager] backend is {}, and only barbican is spoken here", self.backend)
    }
}
