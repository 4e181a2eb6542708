//! `/v2/cache`: the image cache of this node.

use super::{
    extract::NoBody,
    refusal::Refusal,
    reply,
    state::{Answer, Api},
};
use crate::catalogue::service::{CacheTarget, CachedImage, Fault};
use crate::identity::Caller;
use crate::image::ImageId;
use axum::{
    Extension,
    extract::{Path, State},
};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

const TARGET: &str = "x-image-cache-clear-target";

pub(super) async fn list(State(api): State<Arc<Api>>, Extension(caller): Extension<Caller>, _: NoBody) -> Answer {
    let state = api.service.cache_state(&caller).await?;
    let cached: Vec<Value> = state.cached.iter().map(shown).collect();
    Ok(reply::json(StatusCode::OK, &json!({"cached_images": cached, "queued_images": state.queued})))
}

pub(super) async fn clear(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    headers: HeaderMap,
) -> Answer {
    let wanted = headers.get(TARGET).map_or(Ok(""), |it| it.to_str()).map(str::to_ascii_lowercase);
    let target = match wanted.as_deref() {
        Ok("") => CacheTarget { cached: true, queued: true },
        Ok("cache") => CacheTarget { cached: true, queued: false },
        Ok("queue") => CacheTarget { cached: false, queued: true },
        _ => {
            let words = format!("If provided '{TARGET}' must be 'cache', 'queue' or empty string.");
            return Err(Refusal::new(StatusCode::BAD_REQUEST, words));
        }
    };
    api.service.cache_clear(&caller, target).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn queue(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Path(id): Path<String>,
) -> Answer {
    api.service.cache_image(&caller, &known(&id)?).await?;
    Ok(reply::empty(StatusCode::ACCEPTED))
}

pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Path(id): Path<String>,
) -> Answer {
    api.service.cache_delete(&caller, &known(&id)?).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn nodes(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
    Path(id): Path<String>,
) -> Answer {
    let nodes = api.service.cache_nodes(&caller, &known(&id)?).await?;
    Ok(reply::json(StatusCode::OK, &json!(nodes)))
}

pub(super) async fn clean(State(api): State<Arc<Api>>, Extension(caller): Extension<Caller>, _: NoBody) -> Answer {
    api.service.cache_clean(&caller).await?;
    Ok(reply::empty(StatusCode::OK))
}

pub(super) async fn prune(State(api): State<Arc<Api>>, Extension(caller): Extension<Caller>, _: NoBody) -> Answer {
    let pruned = api.service.cache_prune(&caller).await?;
    let (files, bytes) = (pruned.files, pruned.bytes);
    Ok(reply::json(StatusCode::OK, &json!({"total_files_pruned": files, "total_bytes_pruned": bytes})))
}

/// A row of `cached_images`, its times in seconds since 1970.
pub(super) fn shown(cached: &CachedImage) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of this century fit")]
    let seconds = |at: chrono::DateTime<chrono::Utc>| at.timestamp_micros() as f64 / 1e6;
    json!({
        "id": cached.row,
        "image_id": cached.image,
        "last_accessed": seconds(cached.last_accessed),
        "last_modified": seconds(cached.last_modified),
        "size": cached.size,
        "hits": cached.hits,
        "checksum": cached.checksum,
    })
}

fn known(text: &str) -> Result<ImageId, Fault> {
    let unknown = || Fault::NotFound(format!("Image {} not found.", text.chars().take(80).collect::<String>()));
    text.parse().map_err(|_| unknown())
}
