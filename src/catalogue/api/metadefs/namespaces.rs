//! `/v2/metadefs/namespaces`

use crate::catalogue::api::{
    extract::{Document, NoBody},
    metadefs::{Names, param, params},
    pipeline::BaseUrl,
    reply,
    state::{Answer, Api},
};
use crate::identity::Caller;
use crate::image::metadef::Details;
use crate::wire::metadefs::{namespace_to_json, namespaces_query, namespaces_to_json, parse_namespace};
use axum::{
    Extension,
    extract::{RawQuery, State},
};
use http::{HeaderValue, StatusCode, header};
use std::sync::Arc;

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    RawQuery(query): RawQuery,
) -> Answer {
    let params = params(query);
    let listing = namespaces_query(&params, api.settings().limit_param_default, api.settings().api_limit_max)?;
    let (page, more) = api.service.metadefs(&caller).namespaces(&listing).await?;
    Ok(reply::json(StatusCode::OK, &namespaces_to_json(&page, more, &params)))
}

pub(super) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Extension(BaseUrl(base)): Extension<BaseUrl>,
    Document(body): Document,
) -> Answer {
    let (namespace, details) = api.service.metadefs(&caller).create_namespace(parse_namespace(&body, true)?).await?;
    let mut response = reply::json(StatusCode::CREATED, &namespace_to_json(&namespace, &details));
    let path = format!("{base}/v2/metadefs/namespaces/{}", namespace.name);
    if let Ok(location) = HeaderValue::try_from(path) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Names(name, _): Names,
    RawQuery(query): RawQuery,
) -> Answer {
    let params = params(query);
    let (namespace, details) = api.service.metadefs(&caller).namespace(&name, param(&params, "resource_type")).await?;
    Ok(reply::json(StatusCode::OK, &namespace_to_json(&namespace, &details)))
}

pub(super) async fn update(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Names(name, _): Names,
    Document(body): Document,
) -> Answer {
    let namespace = api.service.metadefs(&caller).update_namespace(&name, parse_namespace(&body, false)?).await?;
    Ok(reply::json(StatusCode::OK, &namespace_to_json(&namespace, &Details::default())))
}

pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Names(name, _): Names,
) -> Answer {
    api.service.metadefs(&caller).delete_namespace(&name).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}
