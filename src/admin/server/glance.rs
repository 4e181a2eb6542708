//! Glance's cache API, so that its command-line tools drive a node: the present paths (`/v2/cache`) and the older ones
//! of its cache-management middleware (`/v2/cached_images`, `/v2/queued_images`).

use super::{
    Fault, Handler,
    answer::{error, json},
    routes::{Agent, done},
};
use crate::image::ImageId;
use axum::{
    Json, Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<dyn Handler>> {
    Router::new()
        .route("/v2/cache", get(list).delete(clear))
        .route("/v2/cache/{id}", put(queue).delete(drop_one))
        .route("/v2/cache/clean", post(|| async { StatusCode::OK }))
        .route("/v2/cache/prune", post(prune))
        .route("/v2/cached_images", get(cached).delete(delete_all_cached))
        .route("/v2/cached_images/{id}", delete(delete_cached))
        .route("/v2/queued_images", get(queued).delete(delete_all_queued))
        .route("/v2/queued_images/{id}", put(queue_older).delete(delete_queued))
}

/// Glance answers 404 to an id that is none.
fn id(text: &str) -> Result<ImageId, Fault> {
    text.parse().map_err(|invalid: crate::image::InvalidImageId| Fault::NotFound(invalid.to_string()))
}

async fn list(State(agent): Agent) -> Response {
    let both = async {
        let (cached, queued) = (agent.cached().await?, agent.queued().await?);
        Ok(json!({ "cached_images": cached, "queued_images": queued }))
    };
    json(both.await)
}

async fn cached(State(agent): Agent) -> Response {
    json(agent.cached().await.map(|it| json!({ "cached_images": it })))
}

async fn queued(State(agent): Agent) -> Response {
    json(agent.queued().await.map(|it| json!({ "queued_images": it })))
}

async fn queue(State(agent): Agent, Path(text): Path<String>) -> Response {
    done(StatusCode::ACCEPTED, queue_one(&agent, &text).await)
}

/// The older path answers 200 and `null`.
async fn queue_older(State(agent): Agent, Path(text): Path<String>) -> Response {
    json(queue_one(&agent, &text).await.map(|()| Value::Null))
}

async fn queue_one(agent: &Arc<dyn Handler>, text: &str) -> Result<(), Fault> {
    agent.queue(&id(text)?, None).await
}

async fn delete_cached(State(agent): Agent, Path(text): Path<String>) -> Response {
    let deleted = async { agent.delete_cached(&id(&text)?).await };
    json(deleted.await.map(|()| Value::Null))
}

async fn delete_queued(State(agent): Agent, Path(text): Path<String>) -> Response {
    let deleted = async { agent.delete_queued(&id(&text)?).await };
    json(deleted.await.map(|()| Value::Null))
}

async fn delete_all_cached(State(agent): Agent) -> Response {
    json(agent.delete_all_cached().await.map(|it| json!({ "num_deleted": it })))
}

async fn delete_all_queued(State(agent): Agent) -> Response {
    json(agent.delete_all_queued().await.map(|it| json!({ "num_deleted": it })))
}

/// Cached, queued, or both; 404 when neither.
async fn drop_one(State(agent): Agent, Path(text): Path<String>) -> Response {
    let dropped = async {
        let id = id(&text)?;
        let queued = match agent.delete_queued(&id).await {
            Err(Fault::NotFound(_)) => false,
            other => other.map(|()| true)?,
        };
        match agent.delete_cached(&id).await {
            Err(Fault::NotFound(_)) if queued => Ok(()),
            other => other,
        }
    };
    done(StatusCode::NO_CONTENT, dropped.await)
}

async fn clear(State(agent): Agent, headers: HeaderMap) -> Response {
    let target = headers.get("x-image-cache-clear-target").map_or(Ok(""), |it| it.to_str());
    let (cache, queue) = match target.map(str::to_ascii_lowercase).as_deref() {
        Ok("") => (true, true),
        Ok("cache") => (true, false),
        Ok("queue") => (false, true),
        _ => {
            return error(
                StatusCode::BAD_REQUEST,
                "x-image-cache-clear-target takes 'cache' or 'queue', or is left out",
            );
        }
    };
    let cleared = async {
        if queue {
            agent.delete_all_queued().await?;
        }
        if cache {
            agent.delete_all_cached().await?;
        }
        Ok(())
    };
    done(StatusCode::NO_CONTENT, cleared.await)
}

async fn prune(State(agent): Agent) -> Response {
    match agent.prune(false).await {
        Ok(pruned) => {
            let (files, bytes) = (pruned.removed.len(), pruned.freed);
            Json(json!({ "total_files_pruned": files, "total_bytes_pruned": bytes })).into_response()
        }
        Err(fault) => fault.into_response(),
    }
}
