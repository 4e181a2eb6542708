//! `POST /v2/images`

use crate::catalogue::api::{
    etag,
    extract::Document,
    pipeline::BaseUrl,
    reply,
    state::{Answer, Api},
};
use crate::identity::Caller;
use crate::wire::image::{parse_create, to_json};
use axum::{Extension, extract::State};
use http::{HeaderName, HeaderValue, StatusCode, header};
use std::sync::Arc;

/// The import methods, where there are some.
const METHODS: HeaderName = HeaderName::from_static("openstack-image-import-methods");

/// The stores that there are, where there are several.
const STORES: HeaderName = HeaderName::from_static("openstack-image-store-ids");

pub(in crate::catalogue::api) async fn handle(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Extension(BaseUrl(base)): Extension<BaseUrl>,
    Document(body): Document,
) -> Answer {
    let new = parse_create(&body, &api.formats())?;
    let image = api.service.create(&caller, new).await?;
    let shown = api.shown(&caller, &image);
    let mut response = reply::json(StatusCode::CREATED, &to_json(&image, &shown));
    if let Ok(location) = HeaderValue::try_from(format!("{base}/v2/images/{}", image.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    let methods = api.settings().import_methods.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(",");
    if let Some(methods) = HeaderValue::try_from(methods).ok().filter(|it| !it.is_empty()) {
        response.headers_mut().insert(METHODS, methods);
    }
    if let Some((backends, _)) = api.service.backends() {
        let ids: Vec<&str> = backends.iter().map(|it| it.id.as_str()).collect();
        if let Ok(ids) = HeaderValue::try_from(ids.join(",")) {
            response.headers_mut().insert(STORES, ids);
        }
    }
    Ok(etag::put(response, Some(&etag::of_image(&image, &shown))))
}
