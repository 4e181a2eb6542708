//! What happens to every request, around its handler.
//!
//! ```text
//! /healthcheck, /metrics ─ answered here
//! other origins ─ proxy in front ─ version ─ request id ─ caller ─ router ─ handler ─ error body ─ request id ─ metrics, access log
//! ```

use super::{
    healthcheck,
    refusal::Refusal,
    render,
    state::Api,
    versions::{self, Target},
};
use crate::catalogue::Settings;
use crate::http::{Forwarded, Peer, cors};
use crate::identity::Caller;
use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header, request::Parts};
use std::{sync::Arc, time::Instant};
use tower::ServiceExt;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");

/// The verbs that a path may know (others on unknown paths: 501).
const METHODS: [Method; 6] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::PATCH];

/// The template of the path that was answered, for the metrics.
#[derive(Clone)]
struct Route(MatchedPath);

/// What links in answers begin with, such as `http://images.example:9292`.
#[derive(Clone)]
pub(super) struct BaseUrl(pub(super) String);

/// The request's id, `req-…`.
#[derive(Clone)]
pub(super) struct RequestId(pub(super) String);

/// Answers one request.
pub(super) async fn answer(api: Arc<Api>, router: Router, request: Request) -> Response {
    let began = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let settings = api.settings();
    if healthcheck::is_asked(&path) {
        let (parts, _) = request.into_parts();
        return healthcheck::answer(&settings.healthcheck, settings.bind_port, &parts).await;
    }
    if let Some(metrics) = api.metrics.as_ref().filter(|_| path == "/metrics") {
        return metrics.render().into_response();
    }
    let other_origin = settings.cors.fields(&method, request.headers());
    let before =
        if settings.enable_proxy_headers_parsing { Forwarded::of(request.headers()) } else { Forwarded::default() };
    let client = before.client.clone().or_else(|| request.extensions().get::<Peer>().map(Peer::to_string));
    let (id, mut response) = through(&api, &settings, router, (request, before)).await;
    cors::apply(other_origin, response.headers_mut());
    let route = response.extensions().get::<Route>().map_or("none", |it| it.0.as_str());
    let status = response.status().as_u16();
    let took = began.elapsed();
    metrics::counter!("larder_http_requests_total", "method" => known(&method), "route" => route.to_owned(),
        "status" => class(status))
    .increment(1);
    metrics::histogram!("larder_http_request_seconds", "method" => known(&method), "route" => route.to_owned())
        .record(took.as_secs_f64());
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a request")]
    let took_ms = took.as_millis() as u64;
    let client = client.unwrap_or_default();
    if status == 200 && is_heartbeat(&path) {
        tracing::debug!(request.id = id, client, path = %shortened(&path), status, took_ms, "answered");
    } else {
        tracing::info!(request.id = id, client, method = %method, path = %shortened(&path), status, took_ms, "answered");
    }
    response
}

/// Keeps the matched path for [`answer`], which stands outside the router.
pub(super) async fn note_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(Route(route));
    }
    response
}

/// The request's id, and the answer.
async fn through(
    api: &Api,
    settings: &Settings,
    router: Router,
    (request, before): (Request, Forwarded),
) -> (String, Response) {
    let accept = text(request.headers(), header::ACCEPT);
    let base = versions::base_url(request.headers(), request.uri(), settings.public_endpoint.as_deref(), &before);
    let target = versions::negotiate(request.uri(), accept.as_deref(), api.abilities);
    if request.method() == Method::OPTIONS && target != Target::Versions(StatusCode::OK) {
        // A browser that asks first, without a login; what it may do stands in the headers of other origins.
        return (String::new(), Response::new(Body::empty()));
    }
    if let Some(refusal) = nul(request.uri()) {
        return (String::new(), render::render(refusal.into_response(), accept.as_deref()));
    }
    let uri = match target {
        Target::Versions(status) => return (String::new(), versions::document(status, &base, api.abilities)),
        Target::Moved => None,
        Target::Api(uri) => Some(uri),
    };
    let id = match request_id(request.headers(), settings.max_request_id_length) {
        Ok(id) => id,
        Err(refusal) => return (String::new(), render::render(refusal.into_response(), accept.as_deref())),
    };
    let (mut parts, body) = request.into_parts();
    let caller = match caller(api, &parts).await {
        Ok(caller) => caller,
        Err(refusal) => return (String::new(), render::render(refusal.into_response(), accept.as_deref())),
    };
    let Some(uri) = uri else { return (id.clone(), with_id(moved(&base), &id)) };
    parts.uri = uri;
    parts.extensions.insert(caller);
    parts.extensions.insert(BaseUrl(base));
    parts.extensions.insert(RequestId(id.clone()));
    let changes = !matches!(parts.method, Method::GET | Method::HEAD) && !is_heartbeat(parts.uri.path());
    let response = call(router, Request::from_parts(parts, body)).await;
    if changes && response.status().is_success() {
        api.service.hint_changes();
    }
    (id.clone(), with_id(render::render(response, accept.as_deref()), &id))
}

/// Heartbeats of nodes are many: the log does not tell of each, and the change feed does not look for what they change.
fn is_heartbeat(path: &str) -> bool {
    path.starts_with("/larder/") && path.ends_with("/heartbeat")
}

/// The refusal of an address that holds NUL; a path with it leads nowhere.
fn nul(uri: &Uri) -> Option<Refusal> {
    if uri.path().contains("%00") {
        return Some(Refusal::no_resource());
    }
    uri.query().is_some_and(|it| it.contains("%00")).then(|| Refusal::nul("query"))
}

/// Who asks. Whoever is not known is refused here, before there is a request id (Glance's behaviour); who is let in
/// without a login may look only.
async fn caller(api: &Api, parts: &Parts) -> Result<Caller, Refusal> {
    let caller = api.service.authenticator().authenticate(&parts.into()).await?;
    if caller.read_only && !matches!(parts.method, Method::GET | Method::HEAD) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "Read-only access"));
    }
    Ok(caller)
}

async fn call(router: Router, request: Request) -> Response {
    let method = request.method().clone();
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        return method_not_allowed(response, &method);
    }
    if response.status() == StatusCode::NOT_FOUND && !METHODS.contains(&method) && !is_routed(&response) {
        return Refusal::new(
            StatusCode::NOT_IMPLEMENTED,
            format!("The request method {method} is not implemented for this server."),
        )
        .into_response();
    }
    response
}

fn is_routed(response: &Response) -> bool {
    response.extensions().get::<Route>().is_some()
}

/// HEAD goes wherever GET goes, and is not named beside it: Glance does not know it, and tools compare this list.
fn method_not_allowed(response: Response, method: &Method) -> Response {
    let allowed = response.headers().get(header::ALLOW).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let allowed: Vec<&str> = allowed.split(',').map(str::trim).filter(|it| *it != "HEAD").collect();
    let words = format!("The method {method} is not allowed for this resource.");
    let mut refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, words);
    if let Ok(allowed) = HeaderValue::try_from(allowed.join(", ")) {
        refusal = refusal.with(header::ALLOW, allowed);
    }
    let mut refused = refusal.into_response();
    if let Some(route) = response.extensions().get::<Route>() {
        refused.extensions_mut().insert(route.clone());
    }
    refused
}

/// The client's id when it sent one that is fit to be logged, or a new one; always with the prefix `req-`.
fn request_id(headers: &HeaderMap, max_length: usize) -> Result<String, Refusal> {
    let Some(sent) = headers.get(&REQUEST_ID) else { return Ok(new_request_id()) };
    let Ok(sent) = sent.to_str() else { return Ok(new_request_id()) };
    if sent.len() > max_length {
        let words = format!("The request id is longer than {max_length} characters.");
        return Err(Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, words));
    }
    if sent.is_empty() || sent.bytes().any(|it| !it.is_ascii_graphic()) {
        return Ok(new_request_id());
    }
    Ok(if sent.starts_with("req-") { sent.to_owned() } else { format!("req-{sent}") })
}

fn new_request_id() -> String {
    format!("req-{}", uuid::Uuid::new_v4())
}

fn with_id(mut response: Response, id: &str) -> Response {
    if let Ok(value) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn moved(base: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf8"));
    if let Ok(value) = HeaderValue::try_from(format!("{base}/v2/")) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// A bounded set of label values.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

fn class(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

fn shortened(path: &str) -> String {
    path.chars().take(200).collect()
}
