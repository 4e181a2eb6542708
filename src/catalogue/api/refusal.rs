//! Every way in which a request fails, as a status.

use crate::base::chain;
use crate::catalogue::service::Fault;
use crate::http::{body::BodyError, range::RangeError};
use crate::identity;
use crate::image::query::QueryError;
use crate::wire::{WireError, patch};
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};

/// A status and why; what form it takes is up to the request's `Accept`.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) message: String,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

/// What those are told who have not logged in (Glance's words).
const UNKNOWN: &str = "This server could not verify that you are authorized to access the document you requested. \
    Either you supplied the wrong credentials (e.g., bad password), or your browser does not understand how to supply \
    the credentials required.";

/// What clients are told of a failure of our own (Glance's words).
pub(super) const INTERNAL: &str = "The server has either erred or is incapable of performing the requested operation.";

// === impl Refusal ===

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), headers: Vec::new() }
    }

    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// A path that leads nowhere.
    pub(super) fn no_resource() -> Self {
        Self::new(StatusCode::NOT_FOUND, "The resource could not be found.")
    }

    /// A character that no text in a database may have; PostgreSQL refuses it, and it is nobody's name.
    pub(super) fn nul(place: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            format!("The request's {place} holds the character NUL, which is not allowed."),
        )
    }

    /// Bytes in a query that are no UTF-8.
    pub(super) fn undecodable() -> Self {
        let words = "Error decoding your request: its query holds bytes that are no UTF-8.";
        Self::new(StatusCode::BAD_REQUEST, words)
    }

    /// Content on a request that takes none.
    pub(super) fn body_not_expected() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "A body is not expected with this request.")
    }
}

impl IntoResponse for Refusal {
    /// Empty for now; the pipeline renders it.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers.iter().cloned());
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Invalid(words) => Self::new(StatusCode::BAD_REQUEST, words),
            Fault::Forbidden(words) => Self::new(StatusCode::FORBIDDEN, words),
            Fault::NotFound(words) => Self::new(StatusCode::NOT_FOUND, words),
            Fault::NoImage(_) => Self::new(StatusCode::NOT_FOUND, fault.to_string()),
            Fault::Conflict(words) => Self::new(StatusCode::CONFLICT, words),
            Fault::Stale(words) => Self::new(StatusCode::PRECONDITION_FAILED, words),
            Fault::Gone(words) => Self::new(StatusCode::GONE, words),
            Fault::TooLarge(words) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, words),
            Fault::UnsupportedMedia(words) => Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, words),
            Fault::Unavailable(words) => Self::new(StatusCode::SERVICE_UNAVAILABLE, words),
            Fault::Internal(cause) => {
                tracing::error!(error = %chain(cause.as_ref()), "a request failed; its client is told of an internal error");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL)
            }
        }
    }
}

impl From<identity::Refusal> for Refusal {
    fn from(refusal: identity::Refusal) -> Self {
        let words = refusal.to_string();
        match refusal {
            identity::Refusal::Unauthorized { challenge } => {
                let refusal = Self::new(StatusCode::UNAUTHORIZED, UNKNOWN);
                match challenge.map(HeaderValue::try_from) {
                    Some(Ok(value)) => refusal.with(header::WWW_AUTHENTICATE, value),
                    _ => refusal,
                }
            }
            identity::Refusal::Unavailable(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, words),
        }
    }
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        let words = error.to_string();
        match error {
            WireError::NoBody
            | WireError::Malformed
            | WireError::NotDocument
            | WireError::Schema { .. }
            | WireError::Invalid(_) => Self::new(StatusCode::BAD_REQUEST, words),
            WireError::ReadOnly(_) | WireError::Reserved(_) => Self::new(StatusCode::FORBIDDEN, words),
            WireError::PatchType => {
                let accepted = HeaderValue::try_from(patch::MEDIA_TYPES.join(", "));
                let refusal = Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, words);
                match accepted {
                    Ok(value) => refusal.with(HeaderName::from_static("accept-patch"), value),
                    Err(_) => refusal,
                }
            }
        }
    }
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error.to_string())
    }
}

impl From<RangeError> for Refusal {
    fn from(error: RangeError) -> Self {
        let words = error.to_string();
        match error {
            RangeError::Multiple => Self::new(StatusCode::BAD_REQUEST, words),
            RangeError::Malformed | RangeError::MalformedContent => Self::new(StatusCode::RANGE_NOT_SATISFIABLE, words),
            RangeError::BehindEnd { size } => {
                let refusal = Self::new(StatusCode::RANGE_NOT_SATISFIABLE, words);
                match HeaderValue::try_from(format!("bytes */{size}")) {
                    Ok(value) => refusal.with(header::CONTENT_RANGE, value),
                    Err(_) => refusal,
                }
            }
        }
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        let words = format!("The request's body could not be read: {}.", chain(&error));
        match error {
            BodyError::Idle(_) => Self::new(StatusCode::REQUEST_TIMEOUT, words),
            BodyError::Cut(_) => Self::new(StatusCode::BAD_REQUEST, words),
            BodyError::TooLong(_) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, words),
        }
    }
}
