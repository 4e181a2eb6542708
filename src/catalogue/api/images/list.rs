//! `GET /v2/images`

use crate::catalogue::api::{
    refusal::Refusal,
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
use percent_encoding::percent_decode_str;
use std::sync::Arc;

pub(in crate::catalogue::api) async fn handle(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Answer {
    let query = query.unwrap_or_default();
    if percent_decode_str(&query).decode_utf8().is_err() {
        return Err(Refusal::undecodable());
    }
    let params: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let limits = Limits { default: api.settings().limit_param_default, max: api.settings().api_limit_max };
    let query = match ListQuery::parse(&params, limits) {
        Err(error) if error.is_of_filter() => {
            api.service.may_list(&caller)?;
            return Err(error.into());
        }
        parsed => parsed?,
    };
    let page = api.service.list(&caller, &query).await?;
    let body = list_to_json(&page.images, page.more, &params, |image| api.shown(&caller, image));
    Ok(reply::json(StatusCode::OK, &body))
}
