//! Why the catalogue does not do what it was asked.

use crate::base::chain;
use crate::db::DbError;
use crate::store::StoreError;
use std::error::Error;

/// A refusal or a failure, without HTTP words. Every text but that of [`Fault::Internal`] is for the client.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// There is no such thing, or the caller may not know of it.
    #[error("{0}")]
    NotFound(String),
    /// There is no image of this id, or the caller may not know of it.
    #[error("No image found with ID {0}")]
    NoImage(String),
    /// The caller sees it and may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// It is not in the state for this.
    #[error("{0}")]
    Conflict(String),
    /// It is not in the state that the client expects.
    #[error("{0}")]
    Stale(String),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// More than a quota, a cap or the store's room allows.
    #[error("{0}")]
    TooLarge(String),
    /// The data is not what it was declared to be, or not safe.
    #[error("{0}")]
    UnsupportedMedia(String),
    /// It was deleted meanwhile.
    #[error("{0}")]
    Gone(String),
    /// The server cannot do it now.
    #[error("{0}")]
    Unavailable(String),
    /// Nothing that a client can mend; the cause is for the log only.
    #[error("internal error")]
    Internal(#[source] Box<dyn Error + Send + Sync>),
}

// === impl Fault ===

impl Fault {
    /// Wraps a cause that clients are not told.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }
}

impl From<DbError> for Fault {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Busy | DbError::Full => {
                tracing::error!(%error, "the catalogue's database");
                Self::Unavailable(format!("The catalogue's database cannot be written now: {error}."))
            }
            DbError::Contended => Self::Unavailable("Too many changes at the same time; try again.".to_owned()),
            DbError::Unknown(_) => {
                tracing::error!(error = %chain(&error), "the catalogue's database");
                Self::Unavailable(
                    "The database broke off: look whether the change was made before you repeat it.".to_owned(),
                )
            }
            DbError::Lost(_) | DbError::Unreachable { .. } | DbError::Tls { .. } => {
                tracing::error!(error = %chain(&error), "the catalogue's database");
                Self::Unavailable("The catalogue's database cannot be reached now.".to_owned())
            }
            DbError::Characters => Self::Invalid("A text has characters that the database cannot hold.".to_owned()),
            DbError::TooLarge => Self::Invalid("A value is larger than the database can hold.".to_owned()),
            other => Self::internal(other),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match &error {
            // What the operator must mend; clients are not told about folders.
            StoreError::Full { .. } | StoreError::NoRoom { .. } => {
                tracing::error!(error = %chain(&error), "the image store is full");
                Self::TooLarge("There is no room left in the image store.".to_owned())
            }
            StoreError::ReadOnly { .. } => {
                Self::Gone("Error in store configuration. Adding images to store is disabled.".to_owned())
            }
            StoreError::Duplicate { .. } => {
                Self::Conflict("There is data of this image in the store already.".to_owned())
            }
            StoreError::InUse { .. } => {
                tracing::warn!(error = %chain(&error), "data is in use");
                Self::Conflict("The image's data cannot be removed: it is in use.".to_owned())
            }
            _ => {
                tracing::error!(error = %chain(&error), "the image store failed");
                Self::Unavailable("The image store cannot be used now.".to_owned())
            }
        }
    }
}
