//! What can go wrong on the way to a catalogue.

use http::StatusCode;
use std::{error::Error, time::Duration};

type BoxError = Box<dyn Error + Send + Sync>;

/// A call of the catalogue or of Keystone failed. No message holds a token, a password or a URL's query.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The settings make no client.
    #[error("the settings for the catalogue are not usable: {what}")]
    Settings {
        /// Which, and why.
        what: String,
        /// What the file or the library said.
        source: Option<BoxError>,
    },
    /// Keystone gave no token.
    #[error("logging in at {url} failed")]
    Login {
        /// Keystone's address.
        url: String,
        /// What it answered.
        source: Box<RemoteError>,
    },
    /// Keystone's catalogue names no such image service.
    #[error("Keystone's catalogue has no {service} service at interface {interface}{}; it has {offered}", region.as_ref().map(|it| format!(" in region {it}")).unwrap_or_default())]
    NoEndpoint {
        /// The service's type.
        service: String,
        /// The interface asked for.
        interface: String,
        /// The region asked for.
        region: Option<String>,
        /// What is there of that type: `public in RegionOne, …`.
        offered: String,
    },
    /// There is no such thing, or not for us (404).
    #[error("{doing}: {url} does not exist, or is not visible to this user")]
    NotFound {
        /// What was being done, with the image's id.
        doing: String,
        /// Where.
        url: String,
    },
    /// We may not (401, 403).
    #[error("{doing}: {url} refuses it ({status}): {message}")]
    Denied {
        /// What was being done, with the image's id.
        doing: String,
        /// Where.
        url: String,
        /// 401 or 403.
        status: StatusCode,
        /// The server's words.
        message: String,
    },
    /// The server answered, but not with success.
    #[error("{doing}: {url} answered {status}: {message}")]
    Refused {
        /// What was being done, with the image's id.
        doing: String,
        /// Where.
        url: String,
        /// Its answer.
        status: StatusCode,
        /// The server's words.
        message: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// No answer: no connection, a reset, silence.
    #[error("{doing}: {url} did not answer properly")]
    Transport {
        /// What was being done, with the image's id.
        doing: String,
        /// Where.
        url: String,
        /// What happened.
        source: BoxError,
    },
    /// The data ended before its end, or went beyond it.
    #[error("{doing}: {url} sent {got} of {expected} bytes")]
    Truncated {
        /// What was being done, with the image's id.
        doing: String,
        /// Where.
        url: String,
        /// Bytes that came.
        got: u64,
        /// Bytes that were announced.
        expected: u64,
    },
    /// The answer makes no sense: no JSON, too long, the wrong range.
    #[error("{doing}: the answer of {url} is not understood: {what}")]
    Malformed {
        /// What was being done, with the image's id.
        doing: String,
        /// Where.
        url: String,
        /// What is wrong with it.
        what: String,
    },
    /// The data to send could not be read here.
    #[error("{doing}: reading the data to send failed")]
    Source {
        /// What was being done, with the image's id.
        doing: String,
        /// What the reader said.
        source: BoxError,
    },
}

// === impl RemoteError ===

impl RemoteError {
    /// True when the same call may work later: no connection, a cut, an overloaded or broken server.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Transport { .. } | Self::Truncated { .. } => true,
            Self::Refused { status, .. } => {
                status.is_server_error() && *status != StatusCode::NOT_IMPLEMENTED
                    || matches!(status.as_u16(), 408 | 421 | 425 | 429)
            }
            Self::Login { source, .. } => source.is_transient(),
            // A proxy's page in place of JSON is gone a minute later, as a rule.
            Self::Malformed { .. } => true,
            Self::Settings { .. }
            | Self::NoEndpoint { .. }
            | Self::NotFound { .. }
            | Self::Denied { .. }
            | Self::Source { .. } => false,
        }
    }

    /// True when the image, or the path, does not exist for us.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// True when who we are is the trouble: a wrong password, a missing role.
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Denied { .. } => true,
            Self::Login { source, .. } => source.is_denied(),
            _ => false,
        }
    }

    /// How long the server wants to be left alone (its `Retry-After`, at most a day).
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::Login { source, .. } => source.retry_after(),
            _ => None,
        }
    }

    /// The answer's status, when there was one that was no success.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::NotFound { .. } => Some(StatusCode::NOT_FOUND),
            Self::Denied { status, .. } | Self::Refused { status, .. } => Some(*status),
            Self::Login { source, .. } => source.status(),
            _ => None,
        }
    }
}
