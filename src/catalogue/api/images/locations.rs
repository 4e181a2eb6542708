//! `GET /v2/images/{id}/locations`: where the data is.

use crate::catalogue::api::{
    extract::{Document, Id, LateId, NoBody},
    pipeline::RequestId,
    reply,
    state::{Answer, Api},
};
use crate::catalogue::service::Addition;
use crate::identity::Caller;
use crate::wire::image::{locations_to_json, parse_location};
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

/// What became of it is seen in the image and in its tasks.
pub(in crate::catalogue::api) async fn add(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Extension(RequestId(request)): Extension<RequestId>,
    id: LateId,
    Document(body): Document,
) -> Answer {
    let (url, hash) = parse_location(&body)?;
    api.service.add_location(&caller, &id.get()?, Addition { url, hash, request }).await?;
    Ok(reply::empty(StatusCode::ACCEPTED))
}
