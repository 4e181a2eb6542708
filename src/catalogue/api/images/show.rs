//! `GET /v2/images/{id}`

use crate::catalogue::api::{
    etag,
    extract::{Id, NoBody},
    reply,
    state::{Answer, Api},
};
use crate::identity::Caller;
use crate::wire::image::to_json;
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
    let image = api.service.show(&caller, &id).await?;
    let shown = api.shown(&caller, &image);
    let tag = etag::of_image(&image, &shown);
    if let Some(answer) = etag::instead(&headers, Some(&tag))? {
        return Ok(answer);
    }
    Ok(etag::put(reply::json(StatusCode::OK, &to_json(&image, &shown)), Some(&tag)))
}
