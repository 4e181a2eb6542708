//! What an agent says of itself to the others.

use super::HostName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The content of `host-H.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Of this layout; a higher one is not understood.
    pub format: u32,
    /// The agent's host, as in the file's name.
    pub host: String,
    /// The agent's version, for people.
    pub version: String,
    /// It was stopped, and answers nobody.
    #[serde(default)]
    pub left: bool,
    /// Names of the bases that are pinned there; they stay while it is away.
    #[serde(default)]
    pub pins: BTreeSet<String>,
    /// Bytes that its fetches may yet write.
    #[serde(default)]
    pub promised: u64,
}

/// The layout that this version writes.
const FORMAT: u32 = 1;

// === impl Entry ===

impl Entry {
    /// One that says nothing yet.
    pub fn new(host: &HostName) -> Self {
        Self {
            format: FORMAT,
            host: host.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Self::default()
        }
    }

    /// # Errors
    /// Why it cannot be understood.
    pub fn parse(text: &[u8], host: &HostName) -> Result<Self, String> {
        let entry: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if entry.format != FORMAT {
            return Err(format!("its format is {}, and this version knows {FORMAT}: upgrade this agent", entry.format));
        }
        if entry.host != host.as_str() {
            return Err(format!("it is of host {}", entry.host.chars().take(80).collect::<String>()));
        }
        Ok(entry)
    }

    /// For the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}
