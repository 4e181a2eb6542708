//! `GET /v2/images/{id}`

use crate::catalogue::api::{
    extract::{Id, NoBody},
    reply,
    state::{Answer, Api},
};
use crate::identity::Caller;
use crate::wire::image::to_json;
use axum::{Extension, extract::State};
use http::StatusCode;
use std::sync::Arc;

pub(in crate::catalogue::api) async fn handle(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Id(id): Id,
) -> Answer {
    let image = api.service.show(&caller, &id).await?;
    Ok(reply::json(StatusCode::OK, &to_json(&image, api.shown(&caller, &image))))
}
