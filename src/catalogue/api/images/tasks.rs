//! `GET /v2/images/{id}/tasks`

use crate::catalogue::api::{
    extract::{Id, NoBody},
    reply,
    state::{Answer, Api},
};
use crate::identity::Caller;
use crate::wire::task;
use axum::{Extension, extract::State};
use http::StatusCode;
use std::sync::Arc;

/// For everybody who sees the image.
pub(in crate::catalogue::api) async fn handle(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Id(id): Id,
) -> Answer {
    let tasks = api.service.tasks_of(&caller, &id).await?;
    Ok(reply::json(StatusCode::OK, &task::of_image_to_json(&tasks)))
}
