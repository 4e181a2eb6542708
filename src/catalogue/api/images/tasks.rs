//! `GET /v2/images/{id}/tasks`

use crate::catalogue::api::{
    extract::{LateId, NoBody},
    reply,
    state::{Answer, Api, Worded},
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
    id: LateId,
) -> Answer {
    let id = id.get().no_image(missing)?;
    let tasks = api.service.tasks_of(&caller, &id).await.no_image(missing)?;
    Ok(reply::json(StatusCode::OK, &task::of_image_to_json(&tasks)))
}

fn missing(_: &str) -> String {
    "The resource could not be found.".to_owned()
}
