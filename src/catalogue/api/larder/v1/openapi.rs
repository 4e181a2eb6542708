//! `/larder/v1/openapi.json`: what all of this is, for programs. `tests.rs` holds it to the routes and the documents.

use crate::catalogue::api::{extract::NoBody, state::Answer};
use axum::{body::Body, response::Response};
use http::{HeaderValue, header};

/// The document.
pub(super) const TEXT: &str = include_str!("openapi.json");

pub(super) async fn show(_: NoBody) -> Answer {
    let mut response = Response::new(Body::from(TEXT));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
