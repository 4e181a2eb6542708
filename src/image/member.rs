//! A project that an image is shared with.

use crate::image::ImageId;
use chrono::{DateTime, Utc};
use std::{fmt, str::FromStr};

/// One project's part in a shared image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The image.
    pub image: ImageId,
    /// The project's id, as the owner wrote it.
    pub project: String,
    /// What the project has answered.
    pub status: Answer,
    /// When it was shared.
    pub created_at: DateTime<Utc>,
    /// When it was last answered.
    pub updated_at: DateTime<Utc>,
}

/// What a project says of an image that is shared with it: only what is accepted is listed there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// Nothing yet.
    #[default]
    Pending,
    /// Yes.
    Accepted,
    /// No.
    Rejected,
}

/// No answer has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Status must be \"pending\", \"accepted\" or \"rejected\".")]
pub struct InvalidAnswer;

// === impl Answer ===

impl Answer {
    /// As the API and the database write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Answer {
    type Err = InvalidAnswer;

    fn from_str(text: &str) -> Result<Self, InvalidAnswer> {
        [Self::Pending, Self::Accepted, Self::Rejected].into_iter().find(|it| it.as_str() == text).ok_or(InvalidAnswer)
    }
}
