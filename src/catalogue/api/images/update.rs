//! `PATCH /v2/images/{id}`

use crate::catalogue::api::{
    etag,
    extract::{Document, LateId},
    reply,
    state::{Answer, Api},
};
use crate::identity::Caller;
use crate::wire::{image::to_json, patch};
use axum::{Extension, extract::State};
use http::{HeaderMap, StatusCode, header};
use std::sync::Arc;

pub(in crate::catalogue::api) async fn handle(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: LateId,
    headers: HeaderMap,
    Document(body): Document,
) -> Answer {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let changes = patch::parse(kind, &body, &api.formats())?;
    let image = api.service.change_if(&caller, &id.get()?, etag::expected(&headers), changes).await?;
    let shown = api.shown(&caller, &image);
    let response = reply::json(StatusCode::OK, &to_json(&image, &shown));
    Ok(etag::put(response, Some(&etag::of_image(&image, &shown))))
}
