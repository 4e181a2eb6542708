//! `DELETE /v2/images/{id}`

use crate::catalogue::api::{
    etag,
    extract::{LateId, NoBody},
    reply,
    state::{Answer, Api, Worded},
};
use crate::identity::Caller;
use axum::{Extension, extract::State};
use http::{HeaderMap, StatusCode};
use std::sync::Arc;

pub(in crate::catalogue::api) async fn handle(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    id: LateId,
    headers: HeaderMap,
) -> Answer {
    let id = id.get().no_image(missing)?;
    api.service.delete_if(&caller, &id, etag::expected(&headers)).await.no_image(missing)?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

fn missing(id: &str) -> String {
    format!("Failed to find image {id} to delete")
}
