//! `/v2/metadefs/namespaces/{namespace}/tags`

use crate::catalogue::api::{
    extract::{Document, NoBody},
    metadefs::{Names, params},
    reply,
    state::{Answer, Api},
};
use crate::identity::Caller;
use crate::wire::metadefs::{check_tag_name, parse_new_tags, parse_tag, tag_to_json, tags_query};
use axum::{
    Extension,
    extract::{RawQuery, State},
};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Names(namespace, _): Names,
    RawQuery(query): RawQuery,
) -> Answer {
    let listing = tags_query(&params(query))?;
    let all = api.service.metadefs(&caller).tags(&namespace, &listing).await?;
    Ok(reply::json(StatusCode::OK, &names(all.iter().map(|it| it.name.as_str()))))
}

/// Replaces all tags, or adds to them with `X-Openstack-Append: True`.
pub(super) async fn create_many(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Names(namespace, _): Names,
    headers: HeaderMap,
    Document(body): Document,
) -> Answer {
    let new = parse_new_tags(&body)?;
    let append = headers.get("x-openstack-append").and_then(|it| it.to_str().ok()).unwrap_or_default();
    // oslo's words for yes.
    let append = ["1", "t", "true", "on", "y", "yes"].contains(&append.trim().to_lowercase().as_str());
    let answer = names(new.iter().map(String::as_str));
    api.service.metadefs(&caller).create_tags(&namespace, new, append).await?;
    Ok(reply::json(StatusCode::CREATED, &answer))
}

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Names(namespace, name): Names,
) -> Answer {
    let found = api.service.metadefs(&caller).tag(&namespace, &name).await?;
    Ok(reply::json(StatusCode::OK, &tag_to_json(&found)))
}

pub(super) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Names(namespace, name): Names,
) -> Answer {
    check_tag_name(&name)?;
    let made = api.service.metadefs(&caller).create_tag(&namespace, &name).await?;
    Ok(reply::json(StatusCode::CREATED, &tag_to_json(&made)))
}

pub(super) async fn update(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Names(namespace, name): Names,
    Document(body): Document,
) -> Answer {
    let changed = api.service.metadefs(&caller).update_tag(&namespace, &name, &parse_tag(&body)?).await?;
    Ok(reply::json(StatusCode::OK, &tag_to_json(&changed)))
}

pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Names(namespace, name): Names,
) -> Answer {
    api.service.metadefs(&caller).delete_tag(&namespace, &name).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> Value {
    json!({"tags": all.map(|it| json!({"name": it})).collect::<Value>()})
}
