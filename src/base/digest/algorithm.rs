//! The names of hash algorithms.

use std::{fmt, str::FromStr};

/// A hash that an image may carry; the names are those of Python's hashlib, which Glance uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// Glance's `checksum`.
    Md5,
    /// 160 bits.
    Sha1,
    /// SHA-2, 224 bits.
    Sha224,
    /// SHA-2, 256 bits.
    Sha256,
    /// SHA-2, 384 bits.
    Sha384,
    /// SHA-2, 512 bits: Glance's default for `os_hash_value`.
    Sha512,
}

/// The name is of no algorithm that can be computed here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("hash algorithm '{0}' is not known; known are md5, sha1, sha224, sha256, sha384, sha512")]
pub struct UnknownAlgorithm(pub String);

// === impl Algorithm ===

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Md5, Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// hashlib's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha224 => "sha224",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of the hash in bytes.
    pub fn bytes(self) -> usize {
        self.hex_len() / 2
    }

    /// Length of the hash in hex digits.
    pub fn hex_len(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha1 => 40,
            Self::Sha224 => 56,
            Self::Sha256 => 64,
            Self::Sha384 => 96,
            Self::Sha512 => 128,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        let found = Self::ALL.into_iter().find(|it| it.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| UnknownAlgorithm(text.chars().take(80).collect()))
    }
}
