//! Documents of requests and answers.

use crate::catalogue::{api::state::Answer, service::Fault};
use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};

/// The document of a request.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    if body.is_empty() {
        return Err(Fault::Invalid("A JSON document is expected with this request.".to_owned()));
    }
    serde_json::from_slice(body).map_err(|error| {
        let why: String = error.to_string().chars().take(400).collect();
        Fault::Invalid(format!("The document makes no sense: {why}."))
    })
}

/// A document, in answer to a request that was done.
pub(super) fn done(document: &impl Serialize) -> Answer {
    answer(StatusCode::OK, document)
}

/// A document.
pub(super) fn answer(status: StatusCode, document: &impl Serialize) -> Answer {
    let text = serde_json::to_vec(document).map_err(Fault::internal)?;
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
