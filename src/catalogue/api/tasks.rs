//! `/v2/tasks`, to be looked at: tasks begin with imports.

use super::{
    extract::TaskId,
    reply,
    state::{Answer, Api},
};
use crate::identity::Caller;
use crate::image::{query::Limits, task::TaskQuery};
use crate::wire::task;
use axum::{
    Extension,
    extract::{RawQuery, State},
};
use http::StatusCode;
use std::sync::Arc;

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Answer {
    let params: Vec<(String, String)> =
        url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    let limits = Limits { default: api.settings().limit_param_default, max: api.settings().api_limit_max };
    let page = api.service.tasks(&caller, TaskQuery::parse(&params, limits)?).await?;
    Ok(reply::json(StatusCode::OK, &task::list_to_json(&page.tasks, page.more, &params)))
}

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    TaskId(id): TaskId,
) -> Answer {
    let found = api.service.task(&caller, &id).await?;
    Ok(reply::json(StatusCode::OK, &task::to_json(&found)))
}
