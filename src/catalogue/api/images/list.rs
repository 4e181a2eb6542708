//! `GET /v2/images`

use crate::catalogue::api::{
    reply,
    state::{Answer, Api},
};
use crate::identity::Caller;
use crate::image::{ListQuery, query::Limits};
use crate::wire::image::list_to_json;
use axum::{
    Extension,
    extract::{RawQuery, State},
};
use http::StatusCode;
use std::sync::Arc;

pub(in crate::catalogue::api) async fn handle(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Answer {
    let params: Vec<(String, String)> =
        url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    let limits = Limits { default: api.settings().limit_param_default, max: api.settings().api_limit_max };
    let query = ListQuery::parse(&params, limits)?;
    let page = api.service.list(&caller, &query).await?;
    let body = list_to_json(&page.images, page.more, &params, |image| api.shown(&caller, image));
    Ok(reply::json(StatusCode::OK, &body))
}
