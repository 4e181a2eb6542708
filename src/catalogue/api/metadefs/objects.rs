//! `/v2/metadefs/namespaces/{namespace}/objects`

use crate::catalogue::api::{
    extract::{Document, NoBody},
    metadefs::{Names, params},
    reply,
    state::{Answer, Api},
};
use crate::identity::Caller;
use crate::wire::metadefs::{object_to_json, objects_query, objects_to_json, parse_object};
use axum::{
    Extension,
    extract::{RawQuery, State},
};
use http::StatusCode;
use std::sync::Arc;

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Names(namespace, _): Names,
    RawQuery(query): RawQuery,
) -> Answer {
    objects_query(&params(query))?;
    let all = api.service.metadefs(&caller).objects(&namespace).await?;
    Ok(reply::json(StatusCode::OK, &objects_to_json(&namespace, &all)))
}

pub(super) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Names(namespace, _): Names,
    Document(body): Document,
) -> Answer {
    let made = api.service.metadefs(&caller).create_object(&namespace, parse_object(&body, true)?).await?;
    Ok(reply::json(StatusCode::CREATED, &object_to_json(&namespace, &made)))
}

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Names(namespace, name): Names,
) -> Answer {
    let found = api.service.metadefs(&caller).object(&namespace, &name).await?;
    Ok(reply::json(StatusCode::OK, &object_to_json(&namespace, &found)))
}

pub(super) async fn update(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Names(namespace, name): Names,
    Document(body): Document,
) -> Answer {
    let new = parse_object(&body, false)?;
    let changed = api.service.metadefs(&caller).update_object(&namespace, &name, new).await?;
    Ok(reply::json(StatusCode::OK, &object_to_json(&namespace, &changed)))
}

pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Names(namespace, name): Names,
) -> Answer {
    api.service.metadefs(&caller).delete_object(&namespace, &name).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}
