//! The status machine of an image (Glance's table).
//!
//! ```text
//! queued ─→ saving ─→ active ⇄ deactivated        any of them ─→ deleted
//!    └────→ uploading ─→ importing ─→ active       active ⇄ pending_delete ─→ deleted
//! ```

use std::{fmt, str::FromStr};

/// Where an image is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Registered, without data.
    Queued,
    /// An upload is being written.
    Saving,
    /// Data is complete and served.
    Active,
    /// Written by Glance's v1 only; listed never.
    Killed,
    /// Soft-deleted.
    Deleted,
    /// Data is being staged.
    Uploading,
    /// An import is under way.
    Importing,
    /// Deleted, its data waits for the scrubber.
    PendingDelete,
    /// Active, but closed to all but admins.
    Deactivated,
}

/// The status machine has no such step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("status transition from {from} to {to} is not allowed")]
pub struct IllegalTransition {
    /// The status that the image has.
    pub from: Status,
    /// The status that was asked for.
    pub to: Status,
}

// === impl Status ===

impl Status {
    /// All of them, in the order of Glance's schema.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Saving,
        Self::Active,
        Self::Killed,
        Self::Deleted,
        Self::Uploading,
        Self::Importing,
        Self::PendingDelete,
        Self::Deactivated,
    ];

    /// The word of the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Saving => "saving",
            Self::Active => "active",
            Self::Killed => "killed",
            Self::Deleted => "deleted",
            Self::Uploading => "uploading",
            Self::Importing => "importing",
            Self::PendingDelete => "pending_delete",
            Self::Deactivated => "deactivated",
        }
    }

    /// The statuses that this one may become (Glance's `ImageProxy.valid_state_targets`).
    pub fn targets(self) -> &'static [Self] {
        match self {
            Self::Queued => &[Self::Saving, Self::Uploading, Self::Importing, Self::Active, Self::Deleted],
            Self::Saving => &[Self::Active, Self::Killed, Self::Deleted, Self::Queued],
            Self::Uploading => &[Self::Importing, Self::Queued, Self::Deleted],
            Self::Importing => &[Self::Active, Self::Deleted, Self::Queued],
            Self::Active => &[Self::PendingDelete, Self::Deleted, Self::Deactivated],
            Self::Killed => &[Self::Deleted],
            Self::PendingDelete => &[Self::Deleted, Self::Active],
            Self::Deactivated => &[Self::Active, Self::Deleted],
            Self::Deleted => &[],
        }
    }

    /// # Errors
    /// [`IllegalTransition`] when the table has no such step.
    pub fn become_(self, to: Self) -> Result<Self, IllegalTransition> {
        if self.targets().contains(&to) { Ok(to) } else { Err(IllegalTransition { from: self, to }) }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or_else(|| format!("'{text}' is not an image status"))
    }
}
