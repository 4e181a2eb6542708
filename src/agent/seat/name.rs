//! Names of hosts, as they stand in names of files.

use std::{fmt, str::FromStr};

/// A host's name that can be a part of a file's name: nova's `host`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(String);

/// It cannot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("host = '{0}' is not a host's name: it takes up to {LONGEST} bytes, without '/' and control characters")]
pub struct InvalidHost(pub String);

/// A file's name has 255 bytes, and ours stand around it.
const LONGEST: usize = 150;

// === impl HostName ===

impl HostName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for HostName {
    /// Where nobody has said it.
    fn default() -> Self {
        Self("localhost".to_owned())
    }
}

impl FromStr for HostName {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let fits = |it: char| !it.is_control() && it != '/';
        if !text.is_empty() && text.len() <= LONGEST && text.chars().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidHost(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
