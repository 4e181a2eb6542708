//! Where nova keeps its things.

use crate::agent::seat::HostName;
use std::{path::PathBuf, time::Duration};

/// Paths of nova and libvirt on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `instances_path` (Nova's).
    pub instances_path: PathBuf,
    /// `[image_cache] subdirectory_name` (Nova's): a name, not a path.
    pub subdirectory_name: String,
    /// `libvirt_directories`: folders with domain definitions (`*.xml`) whose disks are in use too; missing ones do not matter.
    pub libvirt_directories: Vec<PathBuf>,
    /// `host` (Nova's): this host's name among those that share the directory.
    pub host: HostName,
    /// `shared_answer_timeout`: how long those are waited for that share it, before something is removed.
    pub shared_answer_timeout: Duration,
}

/// `subdirectory_name` is not a plain name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("subdirectory_name = '{0}' is not the name of a folder in instances_path")]
pub struct InvalidName(pub String);

impl Default for Settings {
    fn default() -> Self {
        Self {
            instances_path: PathBuf::from("/var/lib/nova/instances"),
            subdirectory_name: "_base".to_owned(),
            libvirt_directories: vec![PathBuf::from("/etc/libvirt/qemu"), PathBuf::from("/run/libvirt/qemu")],
            host: HostName::default(),
            shared_answer_timeout: Duration::from_secs(60),
        }
    }
}

impl Settings {
    /// # Errors
    /// [`InvalidName`] when `subdirectory_name` could lead elsewhere.
    pub fn check(&self) -> Result<(), InvalidName> {
        let name = self.subdirectory_name.as_str();
        let fits = !name.is_empty()
            && name.len() <= 255
            && ![".", "..", "locks"].contains(&name)
            && !name.contains(['/', '\0']);
        if fits { Ok(()) } else { Err(InvalidName(name.chars().take(80).collect())) }
    }
}
