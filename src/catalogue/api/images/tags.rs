//! `PUT` and `DELETE /v2/images/{id}/tags/{tag}`

use crate::catalogue::api::{
    extract::{Id, NoBody, Tag},
    reply,
    state::{Answer, Api},
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
    Id(id): Id,
    Tag(tag): Tag,
) -> Answer {
    check_tag(&tag)?;
    api.service.add_tag(&caller, &id, &tag).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

pub(in crate::catalogue::api) async fn remove(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Id(id): Id,
    Tag(tag): Tag,
) -> Answer {
    api.service.remove_tag(&caller, &id, &tag).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}
