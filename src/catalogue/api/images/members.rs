//! `/v2/images/{id}/members` and `/v2/images/{id}/members/{project}`

use crate::catalogue::api::{
    extract::{Document, LateId, MemberId, NoBody},
    reply,
    state::{Answer, Api, Worded},
};
use crate::identity::Caller;
use crate::wire::member;
use axum::{Extension, extract::State};
use http::StatusCode;
use std::sync::Arc;

pub(in crate::catalogue::api) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    id: LateId,
) -> Answer {
    let id = id.get().no_image(missing)?;
    let members = api.service.members(&caller, &id).await.no_image(missing)?;
    Ok(reply::json(StatusCode::OK, &member::list_to_json(&members)))
}

pub(in crate::catalogue::api) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    id: LateId,
    MemberId(project): MemberId,
) -> Answer {
    let id = id.get().no_image(missing)?;
    let found = api.service.member(&caller, &id, &project).await.no_image(missing)?;
    Ok(reply::json(StatusCode::OK, &member::to_json(&found)))
}

/// 200, not 201 (Glance's behaviour).
pub(in crate::catalogue::api) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: LateId,
    Document(body): Document,
) -> Answer {
    let project = member::parse_new(&body)?;
    let id = id.get().no_image(missing)?;
    let made = api.service.add_member(&caller, &id, project).await.no_image(missing)?;
    Ok(reply::json(StatusCode::OK, &member::to_json(&made)))
}

pub(in crate::catalogue::api) async fn update(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: LateId,
    MemberId(project): MemberId,
    Document(body): Document,
) -> Answer {
    let status = member::parse_answer(&body)?;
    let id = id.get().no_image(missing)?;
    let changed = api.service.answer(&caller, &id, &project, &status).await.no_image(missing)?;
    Ok(reply::json(StatusCode::OK, &member::to_json(&changed)))
}

pub(in crate::catalogue::api) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    id: LateId,
    MemberId(project): MemberId,
) -> Answer {
    let id = id.get().no_image(missing)?;
    api.service.remove_member(&caller, &id, &project).await.no_image(missing)?;
    Ok(reply::bare(StatusCode::NO_CONTENT))
}

fn missing(id: &str) -> String {
    format!("Image {id} not found.")
}
