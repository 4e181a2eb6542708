//! `PUT /v2/images/{id}/stage`: the first half of the import method `glance-direct`.

use super::data::{SILENCE, announced_size, check_media_type};
use crate::catalogue::{
    api::{
        extract::LateId,
        refusal::Refusal,
        reply,
        state::{Answer, Api},
    },
    service::{BoxError, Upload},
};
use crate::http::body;
use crate::identity::Caller;
use crate::image::ImportMethod;
use axum::{
    Extension,
    extract::{Request, State},
};
use futures_util::TryStreamExt;
use http::StatusCode;
use std::sync::Arc;

pub(in crate::catalogue::api) async fn handle(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: LateId,
    request: Request,
) -> Answer {
    if !api.service.may_import_by(ImportMethod::GlanceDirect) {
        let words = "'glance-direct' method is not available at this site.";
        return Err(Refusal::new(StatusCode::NOT_FOUND, words));
    }
    let (parts, body) = request.into_parts();
    check_media_type(&parts.headers)?;
    let expected = announced_size(&parts.headers)?;
    let body = body::idle_limited(body, SILENCE).map_err(BoxError::from);
    let upload = Upload { body: Box::pin(body), expected, store: None };
    api.service.stage(&caller, &id.get()?, upload).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}
