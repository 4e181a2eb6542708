//! `/v2/cached_images` and `/v2/queued_images`: the older paths of the cache API, with a flavor of cachemanagement.
//!
//! Glance's middleware answers what it knows and lets the rest pass, so that other methods are 404 and not 405.

use super::{
    cache,
    extract::{Id, NoBody},
    refusal::Refusal,
    reply,
    state::{Answer, Api},
};
use crate::catalogue::service::CacheTarget;
use crate::identity::Caller;
use axum::{
    Extension, Router,
    extract::State,
    routing::{delete, get, put},
};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

type Shared = State<Arc<Api>>;
type Who = Extension<Caller>;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/v2/cached_images", get(cached).delete(delete_all_cached).fallback(no_resource))
        .route("/v2/cached_images/{image_id}", delete(delete_cached).fallback(no_resource))
        .route("/v2/queued_images", get(queued).delete(delete_all_queued).fallback(no_resource))
        .route("/v2/queued_images/{image_id}", put(queue).delete(delete_queued).fallback(no_resource))
}

async fn no_resource() -> Refusal {
    Refusal::no_resource()
}

async fn cached(State(api): Shared, Extension(caller): Who, _: NoBody) -> Answer {
    let state = api.service.managed_state(&caller).await?;
    let cached: Vec<Value> = state.cached.iter().map(cache::shown).collect();
    Ok(reply::json(StatusCode::OK, &json!({"cached_images": cached})))
}

async fn queued(State(api): Shared, Extension(caller): Who, _: NoBody) -> Answer {
    let state = api.service.managed_state(&caller).await?;
    Ok(reply::json(StatusCode::OK, &json!({"queued_images": state.queued})))
}

async fn queue(State(api): Shared, Extension(caller): Who, _: NoBody, Id(id): Id) -> Answer {
    api.service.manage_queue(&caller, &id).await?;
    Ok(reply::json(StatusCode::OK, &Value::Null))
}

async fn delete_cached(State(api): Shared, Extension(caller): Who, _: NoBody, Id(id): Id) -> Answer {
    api.service.manage_delete_cached(&caller, &id).await?;
    Ok(reply::json(StatusCode::OK, &Value::Null))
}

async fn delete_queued(State(api): Shared, Extension(caller): Who, _: NoBody, Id(id): Id) -> Answer {
    api.service.manage_delete_queued(&caller, &id).await?;
    Ok(reply::json(StatusCode::OK, &Value::Null))
}

async fn delete_all_cached(State(api): Shared, Extension(caller): Who, _: NoBody) -> Answer {
    let count = api.service.manage_clear(&caller, CacheTarget { cached: true, queued: false }).await?;
    Ok(reply::json(StatusCode::OK, &json!({"num_deleted": count})))
}

async fn delete_all_queued(State(api): Shared, Extension(caller): Who, _: NoBody) -> Answer {
    let count = api.service.manage_clear(&caller, CacheTarget { cached: false, queued: true }).await?;
    Ok(reply::json(StatusCode::OK, &json!({"num_deleted": count})))
}
