//! `/larder/v1/images/{image}/nodes`, `/larder/v1/images/{image}/verify`

use crate::catalogue::api::{
    extract::NoBody,
    larder::{
        asked::Asked,
        body::done,
        params::{Named, Params},
    },
    state::Answer,
};
use crate::image::ImageId;
use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderValue, header};
use std::convert::Infallible;

pub(super) async fn nodes(asked: Asked, Named(image): Named<ImageId>, params: Params, _: NoBody) -> Answer {
    params.only(&["limit", "marker"])?;
    done(&asked.service().image_nodes(&asked.caller, &image, asked.bounds(&params)?).await?)
}

/// A line for each copy now and then, and one when it is judged.
pub(super) async fn verify(asked: Asked, Named(image): Named<ImageId>, params: Params, _: NoBody) -> Answer {
    params.only(&[])?;
    let copies = asked.service().verify(&asked.caller, &image).await?;
    let lines = copies.filter_map(|it| async move { serde_json::to_string(&it).ok() });
    let lines = lines.map(|line| Ok::<_, Infallible>(Bytes::from(line + "\n")));
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}
