//! `/larder/v1/images/{image}/nodes`

use crate::catalogue::api::{
    extract::NoBody,
    larder::{
        body,
        params::{Named, Params},
    },
    state::{Answer, Api},
};
use crate::identity::Caller;
use crate::image::ImageId;
use axum::{Extension, extract::State};
use http::StatusCode;
use std::sync::Arc;

pub(super) async fn nodes(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(image): Named<ImageId>,
    params: Params,
    _: NoBody,
) -> Answer {
    params.only(&["limit", "marker"])?;
    let page = api.service.image_nodes(&caller, &image, params.bounds(&api)?).await?;
    body::answer(StatusCode::OK, &page)
}
