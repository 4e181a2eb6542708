//! `/healthcheck`, outside the pipeline: for load balancers.

use super::{render, reply, state::Api};
use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// 200 `OK`, or 503 while an operator's file says that this server is out of service.
pub(super) async fn answer(api: &Api, headers: &HeaderMap) -> Response {
    let disabled = match &api.settings().healthcheck_disable_by_file_path {
        Some(path) => tokio::fs::try_exists(path).await.unwrap_or(false),
        None => false,
    };
    let (status, reason) =
        if disabled { (StatusCode::SERVICE_UNAVAILABLE, "DISABLED BY FILE") } else { (StatusCode::OK, "OK") };
    let accept = headers.get(header::ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let json = render::quality(accept, "application", "json");
    if json > render::quality(accept, "text", "plain") {
        return reply::json(status, &serde_json::json!({"detailed": false, "reasons": [reason]}));
    }
    let mut response = Response::new(Body::from(reason));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    response
}
