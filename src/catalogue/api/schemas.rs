//! `/v2/schemas/{name}` and `/v2/schemas/metadefs/{name}`

use super::{
    extract::NoBody,
    refusal::Refusal,
    reply,
    state::{Answer, Api},
};
use crate::wire::schemas::{self, metadef};
use axum::extract::{Path, State};
use http::StatusCode;
use std::sync::Arc;

pub(super) async fn show(State(api): State<Arc<Api>>, Path(name): Path<String>, _: NoBody) -> Answer {
    let schema = match name.as_str() {
        "image" => schemas::image(&api.formats()),
        "images" => schemas::images(&api.formats()),
        "member" => schemas::member(),
        "members" => schemas::members(),
        "task" => schemas::task(),
        "tasks" => schemas::tasks(),
        _ => return Err(Refusal::no_resource()),
    };
    Ok(reply::json(StatusCode::OK, &schema))
}

pub(super) async fn show_metadef(Path(name): Path<String>, _: NoBody) -> Answer {
    let schema = match name.as_str() {
        "namespace" => metadef::namespace(),
        "namespaces" => metadef::namespaces(),
        "resource_type" => metadef::resource_type(),
        "resource_types" => metadef::resource_types(),
        "property" => metadef::property(),
        "properties" => metadef::properties(),
        "object" => metadef::object(),
        "objects" => metadef::objects(),
        "tag" => metadef::tag(),
        "tags" => metadef::tags(),
        _ => return Err(Refusal::no_resource()),
    };
    Ok(reply::json(StatusCode::OK, &schema))
}
