//! `POST /v2/images/{id}/actions/deactivate` and `…/reactivate`

use crate::catalogue::api::{
    extract::{Id, NoBody},
    reply,
    state::{Answer, Api},
};
use crate::identity::Caller;
use axum::{Extension, extract::State};
use http::StatusCode;
use std::sync::Arc;

pub(in crate::catalogue::api) async fn deactivate(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Id(id): Id,
) -> Answer {
    api.service.deactivate(&caller, &id).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

pub(in crate::catalogue::api) async fn reactivate(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Id(id): Id,
) -> Answer {
    api.service.reactivate(&caller, &id).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}
