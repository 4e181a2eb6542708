//! What handlers take out of a request.

use super::{
    refusal::Refusal,
    state::{Api, no_image},
};
use crate::catalogue::service::Fault;
use crate::http::body;
use crate::image::ImageId;
use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, RawPathParams, Request},
};
use bytes::Bytes;
use http::{header, request::Parts};
use std::{sync::Arc, time::Duration};

/// The server's own limit per piece of a body comes first; this one is for a document as a whole.
const DOCUMENT_TIMEOUT: Duration = Duration::from_secs(60);

/// `{image_id}` of the path.
pub(super) struct Id(pub(super) ImageId);

/// `{image_id}` of the path of a request with a body: what is wrong with the body is told first (Glance's order).
pub(super) struct LateId(Result<ImageId, String>);

/// `{tag}` of the path, decoded.
pub(super) struct Tag(pub(super) String);

/// `{member_id}` of the path, decoded.
pub(super) struct MemberId(pub(super) String);

/// `{task_id}` of the path, decoded.
pub(super) struct TaskId(pub(super) String);

/// A bounded body; empty when there is none.
pub(super) struct Document(pub(super) Bytes);

/// Refuses requests with a body.
pub(super) struct NoBody;

// === impl Id ===

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let text = path_param(parts, state, "image_id").await?;
        text.parse().map(Self).map_err(|_| no_image(&text).into())
    }
}

// === impl LateId ===

impl LateId {
    /// The id, once the body is understood.
    pub(super) fn get(self) -> Result<ImageId, Fault> {
        self.0.map_err(|text| no_image(&text))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for LateId {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let text = path_param(parts, state, "image_id").await?;
        Ok(Self(text.parse().map_err(|_| text)))
    }
}

// === impl Tag ===

impl<S: Send + Sync> FromRequestParts<S> for Tag {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        path_param(parts, state, "tag").await.map(Self)
    }
}

// === impl MemberId ===

impl<S: Send + Sync> FromRequestParts<S> for MemberId {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        path_param(parts, state, "member_id").await.map(Self)
    }
}

// === impl TaskId ===

impl<S: Send + Sync> FromRequestParts<S> for TaskId {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        path_param(parts, state, "task_id").await.map(Self)
    }
}

// === impl Document ===

impl FromRequest<Arc<Api>> for Document {
    type Rejection = Refusal;

    async fn from_request(request: Request<Body>, api: &Arc<Api>) -> Result<Self, Refusal> {
        let most = api.settings().max_request_body_size;
        let whole = body::collect(request.into_body(), most, DOCUMENT_TIMEOUT);
        match tokio::time::timeout(DOCUMENT_TIMEOUT, whole).await {
            Ok(bytes) => {
                let bytes = bytes?;
                if has_nul(&bytes) { Err(Refusal::nul("document")) } else { Ok(Self(bytes)) }
            }
            Err(_) => Err(body::BodyError::Idle(DOCUMENT_TIMEOUT).into()),
        }
    }
}

// === impl NoBody ===

impl<S: Send + Sync> FromRequestParts<S> for NoBody {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let length = parts.headers.get(header::CONTENT_LENGTH);
        let is_long = length.is_some_and(|it| it.as_bytes().iter().any(|digit| *digit != b'0'));
        if is_long || parts.headers.contains_key(header::TRANSFER_ENCODING) {
            return Err(Refusal::body_not_expected());
        }
        Ok(Self)
    }
}

/// Whether a text of the JSON holds the escape of NUL.
fn has_nul(json: &[u8]) -> bool {
    let mut escaped = false;
    json.iter().enumerate().any(|(at, byte)| {
        let begins = *byte == b'\\' && !escaped;
        let found = escaped && json[at..].starts_with(b"u0000");
        escaped = begins;
        found
    })
}

async fn path_param<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Result<String, Refusal> {
    // What is no UTF-8 names nothing.
    let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| Refusal::no_resource())?;
    let value = params.iter().find(|it| it.0 == name).map(|it| it.1.to_owned());
    value.ok_or_else(Refusal::no_resource)
}
