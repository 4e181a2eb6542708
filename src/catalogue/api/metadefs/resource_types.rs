//! `/v2/metadefs/resource_types`, and the associations of a namespace.

use crate::catalogue::api::{
    extract::{Document, NoBody},
    metadefs::Names,
    reply,
    state::{Answer, Api},
};
use crate::identity::Caller;
use crate::wire::metadefs::{association_to_json, parse_resource_type, resource_types_to_json};
use axum::{Extension, extract::State};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn list(State(api): State<Arc<Api>>, Extension(caller): Extension<Caller>, _: NoBody) -> Answer {
    let all = api.service.metadefs(&caller).resource_types().await?;
    Ok(reply::json(StatusCode::OK, &resource_types_to_json(&all)))
}

pub(super) async fn of_namespace(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Names(namespace, _): Names,
) -> Answer {
    let all = api.service.metadefs(&caller).associations(&namespace).await?;
    let all: Value = all.iter().map(association_to_json).collect();
    Ok(reply::json(StatusCode::OK, &json!({"resource_type_associations": all})))
}

pub(super) async fn associate(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Names(namespace, _): Names,
    Document(body): Document,
) -> Answer {
    let made = api.service.metadefs(&caller).associate(&namespace, parse_resource_type(&body)?).await?;
    Ok(reply::json(StatusCode::CREATED, &association_to_json(&made)))
}

pub(super) async fn dissociate(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Names(namespace, name): Names,
) -> Answer {
    api.service.metadefs(&caller).dissociate(&namespace, &name).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}
