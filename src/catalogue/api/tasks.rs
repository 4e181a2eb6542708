//! `/v2/tasks`: tasks are made here and by imports, and looked at. Whether the caller may use them at all comes first.

use super::{
    extract::{Document, TaskId},
    pipeline::{BaseUrl, RequestId},
    refusal::Refusal,
    reply,
    state::{Answer, Api},
};
use crate::catalogue::service::NewTask;
use crate::identity::Caller;
use crate::image::{query::Limits, task::TaskQuery};
use crate::wire::task;
use axum::{
    Extension,
    extract::{RawQuery, State},
};
use http::{HeaderValue, StatusCode, header};
use std::sync::Arc;

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Answer {
    api.service.may_use_tasks(&caller)?;
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

pub(super) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Extension(BaseUrl(base)): Extension<BaseUrl>,
    Extension(RequestId(request)): Extension<RequestId>,
    body: Result<Document, Refusal>,
) -> Answer {
    api.service.may_use_tasks(&caller)?;
    let Document(body) = body?;
    let (kind, input) = task::parse_new(&body)?;
    let image = input.get("image_id").and_then(serde_json::Value::as_str).map(str::to_owned);
    let begun = api.service.add_task(&caller, NewTask { kind, input, image, request }).await?;
    let mut response = reply::json(StatusCode::CREATED, &task::to_json(&begun));
    if let Ok(location) = HeaderValue::try_from(format!("{base}/v2/tasks/{}", begun.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Nobody deletes tasks: they expire.
pub(super) async fn delete(State(api): State<Arc<Api>>, Extension(caller): Extension<Caller>) -> Answer {
    api.service.may_use_tasks(&caller)?;
    let words = "This operation is currently not permitted on Glance Tasks. They are auto deleted after reaching the time \
                 based on their expires_at property.";
    let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, words);
    Err(refusal.with(header::ALLOW, HeaderValue::from_static("GET")))
}
