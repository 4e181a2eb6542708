//! The mode of image files, as Glance's configuration writes it.

use std::{fmt, str::FromStr};

/// A mode in octal digits; 0 means: what the umask gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FilePerm(u32);

/// The text is no mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a file mode: it takes octal digits such as 640, or 0 for what the umask gives")]
pub struct InvalidFilePerm(pub String);

impl FilePerm {
    /// The mode to set; none: leave it.
    pub fn mode(self) -> Option<u32> {
        (self.0 > 0).then_some(self.0)
    }
}

impl FromStr for FilePerm {
    type Err = InvalidFilePerm;

    /// Glance reads the digits as octal, and takes anything below 1 for "leave it".
    fn from_str(text: &str) -> Result<Self, InvalidFilePerm> {
        let text = text.trim();
        let invalid = || InvalidFilePerm(text.chars().take(40).collect());
        let digits = text.strip_prefix("0o").unwrap_or(text);
        let mode = i64::from_str_radix(digits, 8).map_err(|_| invalid())?;
        match mode {
            ..=0 => Ok(Self(0)),
            1..=0o7777 => Ok(Self(mode as u32)),
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for FilePerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:o}", self.0)
    }
}
