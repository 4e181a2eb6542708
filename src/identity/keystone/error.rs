//! Why Keystone could not be asked.

use http::StatusCode;
use std::{error::Error, sync::Arc};

/// A call of Keystone failed. That a token is not valid is no error, but an answer.
#[derive(Debug, thiserror::Error)]
pub enum KeystoneError {
    /// The options cannot be used.
    #[error("the options for Keystone are not usable: {what}")]
    Settings {
        /// Which one, in words.
        what: String,
        /// Why, if there is more to say.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// No answer came.
    #[error("{doing}: Keystone does not answer at {url}")]
    NoAnswer {
        /// What was asked for.
        doing: &'static str,
        /// Where.
        url: String,
        /// The transport's words.
        source: reqwest::Error,
    },
    /// An answer that is of no use.
    #[error("{doing}: Keystone answers {status} at {url}: {message}")]
    Refused {
        /// What was asked for.
        doing: &'static str,
        /// Where.
        url: String,
        /// Its status.
        status: StatusCode,
        /// Keystone's words.
        message: String,
    },
    /// The failure of a login that several waited for.
    #[error(transparent)]
    Shared(Arc<Self>),
    /// An answer that is not Keystone's.
    #[error("{doing}: the answer at {url} is not one of Keystone")]
    Malformed {
        /// What was asked for.
        doing: &'static str,
        /// Where.
        url: String,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
}
