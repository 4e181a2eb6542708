//! `/v2/metadefs/namespaces/{namespace}/properties`

use crate::catalogue::api::{
    extract::{Document, NoBody},
    metadefs::{Names, param, params},
    reply,
    state::{Answer, Api},
};
use crate::identity::Caller;
use crate::wire::metadefs::{parse_property, properties_to_json, property_to_json};
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
) -> Answer {
    let all = api.service.metadefs(&caller).properties(&namespace).await?;
    Ok(reply::json(StatusCode::OK, &properties_to_json(&all)))
}

pub(super) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Names(namespace, _): Names,
    Document(body): Document,
) -> Answer {
    let (name, schema) = parse_property(&body)?;
    api.service.metadefs(&caller).create_property(&namespace, &name, &schema).await?;
    Ok(reply::json(StatusCode::CREATED, &property_to_json(&name, &schema)))
}

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Names(namespace, name): Names,
    RawQuery(query): RawQuery,
) -> Answer {
    let params = params(query);
    let metadefs = api.service.metadefs(&caller);
    let (name, schema) = metadefs.property(&namespace, &name, param(&params, "resource_type")).await?;
    Ok(reply::json(StatusCode::OK, &property_to_json(&name, &schema)))
}

pub(super) async fn update(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Names(namespace, name): Names,
    Document(body): Document,
) -> Answer {
    let (new, schema) = parse_property(&body)?;
    api.service.metadefs(&caller).update_property(&namespace, &name, &new, &schema).await?;
    Ok(reply::json(StatusCode::OK, &property_to_json(&new, &schema)))
}

pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Names(namespace, name): Names,
) -> Answer {
    api.service.metadefs(&caller).delete_property(&namespace, &name).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}
