//! `GET /v2/images/{id}/locations`: where the data is.

use crate::catalogue::api::{
    extract::{Id, NoBody},
    reply,
    state::{Answer, Api},
};
use crate::identity::Caller;
use crate::wire::image::locations_to_json;
use axum::{Extension, extract::State};
use http::StatusCode;
use std::sync::Arc;

/// For other services and for admins (`fetch_image_location`).
pub(in crate::catalogue::api) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Id(id): Id,
) -> Answer {
    let image = api.service.locations(&caller, &id).await?;
    Ok(reply::json(StatusCode::OK, &locations_to_json(&image)))
}
