//! `POST /v2/images/{id}/import`: no method is enabled.

use crate::catalogue::api::{extract::Document, refusal::Refusal, state::Answer};
use crate::wire::import_method;
use http::StatusCode;

/// What a server says of a method that it has not.
pub(in crate::catalogue::api) async fn handle(Document(body): Document) -> Answer {
    let method = import_method(&body)?;
    Err(Refusal::new(StatusCode::BAD_REQUEST, format!("Unknown import method name '{method}'.")))
}
