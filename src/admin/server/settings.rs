//! Where the agent listens, and to whom.

use crate::admin::DEFAULT_SOCKET;
use std::path::PathBuf;

/// The admin socket's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `admin_socket`: its path; the folder must exist.
    pub socket: PathBuf,
    /// `admin_group`: a group whose members may connect too, by name; root and the agent's own user always may.
    pub group: Option<String>,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self { socket: PathBuf::from(DEFAULT_SOCKET), group: None }
    }
}
