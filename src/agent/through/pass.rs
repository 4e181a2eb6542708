//! Passing requests on, and answers back.

use super::{
    headers::{of_request, passing},
    open::Through,
};
use crate::base::chain;
use crate::remote::{Forward, Passing, RemoteError};
use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use http_body::Body as _;
use std::io;

// === impl Through ===

impl Through {
    /// The catalogue's answer to this request, as it is.
    pub(super) async fn pass(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let body = (!body.is_end_stream())
            .then(|| body.into_data_stream().map_err(|error| io::Error::other(chain(&error).to_string())).boxed());
        let forward = Forward {
            method: parts.method.clone(),
            path: path_of(&parts),
            headers: of_request(&parts.headers, &self.via),
            body,
        };
        match self.catalogue().forward(forward).await {
            Ok(answer) => back(answer),
            Err(error) => away(&error),
        }
    }

    /// Asks the catalogue for `path`, as this caller.
    pub(super) async fn ask(
        &self,
        parts: &Parts,
        path: String,
        headers: HeaderMap,
    ) -> Result<http::Response<Passing<RemoteError>>, RemoteError> {
        let forward = Forward { method: parts.method.clone(), path, headers, body: None };
        self.catalogue().forward(forward).await
    }
}

/// As the client wrote it.
pub(super) fn path_of(parts: &Parts) -> String {
    parts.uri.path_and_query().map_or("/", |it| it.as_str()).to_owned()
}

/// The catalogue's answer, for this connection.
pub(super) fn back(answer: http::Response<Passing<RemoteError>>) -> Response {
    let (parts, body) = answer.into_parts();
    let mut response = Response::new(Body::from_stream(body));
    *response.status_mut() = parts.status;
    *response.headers_mut() = passing(&parts.headers);
    response
}

/// There is no answer. 503 is what clients of Glance try again.
pub(super) fn away(error: &RemoteError) -> Response {
    tracing::warn!(error = %chain(error), "a request cannot be passed on to the catalogue");
    let why = format!("This node's agent cannot reach the catalogue: {}.", chain(error));
    refusal(StatusCode::SERVICE_UNAVAILABLE, &why)
}

/// An answer of our own, in the form that clients of Glance read.
pub(super) fn refusal(status: StatusCode, why: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let text = format!("{} {title}\n\n{why}\n\n   ", status.as_u16());
    let plain = HeaderValue::from_static("text/plain; charset=UTF-8");
    (status, [(header::CONTENT_TYPE, plain)], text).into_response()
}
