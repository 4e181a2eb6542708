//! The name of an image.

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use std::{fmt, str::FromStr};

/// A UUID in its text form of 36 characters, in the case in which it was given.
///
/// Clients may choose it (Glance's schema: `^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-…{12}$`), and nova hashes the text, so
/// the text is kept as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageId(String);

/// The text is no image id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an image id: it takes a UUID such as 9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69")]
pub struct InvalidImageId(pub String);

// === impl ImageId ===

impl ImageId {
    /// The id of 128 random bits, as a version 4 UUID.
    pub fn from_random(bits: u128) -> Self {
        Self(uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid().to_string())
    }

    /// The id as text, 36 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of this image's base in `_base`: sha1 of the id's text, 40 lower-case hex digits (nova's rule).
    pub fn base_name(&self) -> String {
        hex(&Sha1::digest(self.0.as_bytes()))
    }
}

impl FromStr for ImageId {
    type Err = InvalidImageId;

    fn from_str(text: &str) -> Result<Self, InvalidImageId> {
        let groups = [8, 4, 4, 4, 12];
        let mut parts = text.split('-');
        let fits = groups
            .iter()
            .all(|&len| parts.next().is_some_and(|p| p.len() == len && p.bytes().all(|b| b.is_ascii_hexdigit())));
        if fits && parts.next().is_none() {
            Ok(Self(text.to_owned()))
        } else {
            // Bounded: the text may be anything that a client sent.
            Err(InvalidImageId(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for ImageId {
    type Error = InvalidImageId;

    fn try_from(text: String) -> Result<Self, InvalidImageId> {
        text.parse()
    }
}

impl From<ImageId> for String {
    fn from(id: ImageId) -> Self {
        id.0
    }
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
