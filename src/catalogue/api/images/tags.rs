//! `PUT` and `DELETE /v2/images/{id}/tags/{tag}`

use crate::catalogue::api::{
    extract::{LateId, NoBody, Tag},
    reply,
    state::{Answer, Api, Worded},
};
use crate::identity::Caller;
use crate::wire::check_tag;
use axum::{Extension, extract::State};
use http::StatusCode;
use std::sync::Arc;

pub(in crate::catalogue::api) async fn add(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    id: LateId,
    Tag(tag): Tag,
) -> Answer {
    check_tag(&tag)?;
    let id = id.get().no_image(missing)?;
    api.service.add_tag(&caller, &id, &tag).await.no_image(missing)?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

pub(in crate::catalogue::api) async fn remove(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    id: LateId,
    Tag(tag): Tag,
) -> Answer {
    let id = id.get().no_image(missing)?;
    api.service.remove_tag(&caller, &id, &tag).await.no_image(missing)?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

fn missing(id: &str) -> String {
    format!("Image {id} not found.")
}
