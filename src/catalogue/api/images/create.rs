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
use http::{HeaderValue, StatusCode, header};
use std::sync::Arc;

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
    Ok(etag::put(response, Some(&etag::of_image(&image, &shown))))
}
