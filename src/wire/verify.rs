//! What `POST /larder/v1/images/{image}/verify` tells: one JSON object a line, while the data is read.

use serde::{Deserialize, Serialize};

/// One copy of an image's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedCopy {
    /// Which of the image's locations, from 0.
    pub location: usize,
    /// The id of its store; none where there is one store without an id.
    pub store: Option<String>,
    /// Bytes that were read.
    pub read: u64,
    /// Bytes that there should be, when that is known.
    pub size: Option<u64>,
    /// What came out; none while it is being read.
    pub outcome: Option<Outcome>,
    /// What is wrong with it.
    pub why: Option<String>,
}

/// What came out of reading a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It has the image's size and hashes.
    Sound,
    /// It has not.
    Damaged,
    /// There is none.
    Missing,
    /// The store does not give it.
    Unreadable,
    /// The image has no hash that it could be compared with.
    Unhashed,
}

// === impl Outcome ===

impl Outcome {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::Damaged => "damaged",
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
            Self::Unhashed => "unhashed",
        }
    }
}
