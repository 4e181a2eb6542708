//! The routes of the admin socket, and its loop.

use super::{
    Fault, Handler, Peers,
    answer::{empty, error, json},
    glance,
};
use crate::admin::Priority;
use crate::http::{
    Peer,
    server::{self, Listener},
};
use crate::image::ImageId;
use crate::runtime::metrics;
use axum::{
    Extension, Router,
    extract::{Path, Query, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use http::{StatusCode, header};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

pub(super) type Agent = State<Arc<dyn Handler>>;

/// Answers until `shutdown`.
pub async fn serve(listener: Listener, peers: Peers, handler: Arc<dyn Handler>, shutdown: CancellationToken) {
    let settings =
        server::Settings { max_connections: 64, drain_timeout: Duration::from_secs(5), ..server::Settings::default() };
    server::serve(vec![listener], router(handler, peers), settings, shutdown).await;
}

fn router(handler: Arc<dyn Handler>, peers: Peers) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/why/{id}", get(why))
        .route("/plan", get(plan))
        .route("/prefetch", post(prefetch))
        .route("/prune", post(prune))
        .route("/queue/{id}", put(queue))
        .route("/pins/{id}", put(pin).delete(unpin))
        .route("/gone/{id}", put(confirm_gone))
        .route("/scrub", post(scrub))
        .route("/metrics", get(render))
        .route("/healthz", get(|| async { "OK" }))
        .merge(glance::routes())
        .fallback(|| async { error(StatusCode::NOT_FOUND, "the agent has no such path") })
        .method_not_allowed_fallback(|| async {
            error(StatusCode::METHOD_NOT_ALLOWED, "the agent has no such method on this path")
        })
        .layer(middleware::from_fn_with_state(Arc::new(peers), admit))
        .with_state(handler)
}

async fn admit(State(peers): State<Arc<Peers>>, request: Request, next: Next) -> Response {
    let Some(peer) = request.extensions().get::<Peer>().copied() else {
        return error(StatusCode::FORBIDDEN, "the agent cannot tell who is asking");
    };
    match peers.check(&peer).await {
        Ok(()) => next.run(request).await,
        Err(message) => {
            tracing::warn!(%peer, "refused on the admin socket: {message}");
            error(StatusCode::FORBIDDEN, &message)
        }
    }
}

async fn status(State(agent): Agent) -> Response {
    json(Ok(agent.status().as_ref()))
}

async fn why(State(agent): Agent, Path(id): Path<String>) -> Response {
    match id.parse::<ImageId>() {
        Ok(id) => json(agent.why(&id).await),
        Err(invalid) => error(StatusCode::BAD_REQUEST, &invalid.to_string()),
    }
}

async fn plan(State(agent): Agent) -> Response {
    json(agent.plan().await)
}

async fn prefetch(State(agent): Agent) -> Response {
    json(agent.prefetch().await)
}

#[derive(Deserialize)]
struct Prune {
    #[serde(default)]
    dry_run: bool,
}

async fn prune(State(agent): Agent, Query(query): Query<Prune>, peer: Option<Extension<Peer>>) -> Response {
    if let Some(Extension(peer)) = peer.filter(|_| !query.dry_run) {
        tracing::info!(%peer, "prune asked for on the admin socket");
    }
    json(agent.prune(query.dry_run).await)
}

#[derive(Deserialize)]
struct Queue {
    priority: Option<String>,
}

async fn queue(State(agent): Agent, Path(id): Path<String>, Query(query): Query<Queue>) -> Response {
    let queued = async {
        let priority = query.priority.map(|it| it.parse::<Priority>()).transpose();
        let priority = priority.map_err(|invalid| Fault::Invalid(invalid.to_string()))?;
        agent.queue(&image_id(&id)?, priority).await
    };
    empty(StatusCode::ACCEPTED, queued.await)
}

async fn pin(State(agent): Agent, Path(id): Path<String>) -> Response {
    empty(StatusCode::NO_CONTENT, async { agent.pin(&image_id(&id)?).await }.await)
}

async fn unpin(State(agent): Agent, Path(id): Path<String>) -> Response {
    empty(StatusCode::NO_CONTENT, async { agent.unpin(&image_id(&id)?).await }.await)
}

async fn confirm_gone(State(agent): Agent, Path(id): Path<String>, peer: Option<Extension<Peer>>) -> Response {
    if let Some(Extension(peer)) = peer {
        tracing::info!(%peer, image.id = id, "confirmed to be gone, on the admin socket");
    }
    empty(StatusCode::NO_CONTENT, async { agent.confirm_gone(&image_id(&id)?).await }.await)
}

fn image_id(text: &str) -> Result<ImageId, Fault> {
    text.parse().map_err(|invalid: crate::image::InvalidImageId| Fault::Invalid(invalid.to_string()))
}

async fn scrub(State(agent): Agent, peer: Option<Extension<Peer>>) -> Response {
    if let Some(Extension(peer)) = peer {
        tracing::info!(%peer, "scrub asked for on the admin socket");
    }
    json(agent.scrub().await)
}

async fn render() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::install().render()).into_response()
}

/// For routes whose success has no content.
pub(super) fn done(status: StatusCode, result: Result<(), super::Fault>) -> Response {
    empty(status, result)
}
