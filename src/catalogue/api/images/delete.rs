//! `DELETE /v2/images/{id}`

use crate::catalogue::api::{
    etag,
    extract::{Id, NoBody},
    reply,
    state::{Answer, Api},
};
use crate::identity::Caller;
use axum::{Extension, extract::State};
use http::{HeaderMap, StatusCode};
use std::sync::Arc;

pub(in crate::catalogue::api) async fn handle(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Id(id): Id,
    headers: HeaderMap,
) -> Answer {
    api.service.delete_if(&caller, &id, etag::expected(&headers)).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}
