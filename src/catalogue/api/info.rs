//! `/v2/info/import`, `/v2/info/stores`, `/v2/info/usage`: what this site offers.

use super::{
    extract::NoBody,
    refusal::Refusal,
    reply,
    state::{Answer, Api},
};
use crate::identity::Caller;
use crate::store::{Backend, SwiftSettings};
use axum::{Extension, extract::State};
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The import methods.
pub(super) async fn import(State(api): State<Arc<Api>>, _: NoBody) -> Answer {
    let enabled: Vec<&str> = api.settings().import_methods.iter().map(|it| it.as_str()).collect();
    let methods = json!({"description": "Import methods available.", "type": "array", "value": enabled});
    Ok(reply::json(StatusCode::OK, &json!({"import-methods": methods})))
}

/// The stores, where there are several (`enabled_backends`).
pub(super) async fn stores(State(api): State<Arc<Api>>, _: NoBody) -> Answer {
    let (backends, main) = api.service.backends().ok_or_else(one_store)?;
    let stores: Vec<Value> = backends.iter().map(|it| Value::Object(about(it, &main))).collect();
    Ok(reply::json(StatusCode::OK, &json!({"stores": stores})))
}

/// Likewise, with how they are set up.
pub(super) async fn stores_detail(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    _: NoBody,
) -> Answer {
    let (backends, main) = api.service.backends().ok_or_else(one_store)?;
    api.service.may_see_stores(&caller)?;
    let with_more = |it: &Backend| {
        let mut shown = about(it, &main);
        shown.insert("type".to_owned(), it.kind().into());
        shown.insert("properties".to_owned(), properties(it, api.service.cluster_of(&it.id)));
        shown.insert("weight".to_owned(), it.weight.into());
        Value::Object(shown)
    };
    let stores: Vec<Value> = backends.iter().map(with_more).collect();
    Ok(reply::json(StatusCode::OK, &json!({"stores": stores})))
}

/// For sites without `enabled_backends`.
pub(super) fn one_store() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "Multi backend is not supported at this site.")
}

/// What is true is the text `true`, and absent otherwise (Glance's behaviour).
fn about(backend: &Backend, main: &str) -> Map<String, Value> {
    let mut shown = Map::new();
    let mut put = |name: &str, value: &str| drop(shown.insert(name.to_owned(), value.into()));
    put("id", &backend.id);
    if !backend.description.is_empty() {
        put("description", &backend.description);
    }
    if backend.id == main {
        put("default", "true");
    }
    if backend.is_read_only() {
        put("read-only", "true");
    }
    shown
}

fn properties(backend: &Backend, cluster: Option<String>) -> Value {
    let options = &backend.settings;
    match backend.kind() {
        "file" => json!({
            "data_dir": options.datadirs().iter().max_by_key(|it| it.priority).map(|it| &it.path),
            "chunk_size": options.filesystem_store_chunk_size,
            "thin_provisioning": options.filesystem_thin_provisioning,
        }),
        // In bytes, as Glance computes them.
        "s3" => json!({
            "s3_store_large_object_size": options.s3.large_object_size << 20,
            "s3_store_large_object_chunk_size": options.s3.large_object_chunk_size << 20,
            "s3_store_thread_pools": options.s3.thread_pools,
        }),
        "rbd" => json!({
            "chunk_size": options.rbd.chunk_bytes(),
            "pool": options.rbd.rbd_store_pool,
            "thin_provisioning": options.rbd.rbd_thin_provisioning,
            "fsid": cluster,
        }),
        "swift" => json!({
            "container": options.swift.container,
            "large_object_size": options.swift.large_object_size * SwiftSettings::MB,
            "large_object_chunk_size": options.swift.large_object_chunk_size * SwiftSettings::MB,
        }),
        _ => json!({}),
    }
}

/// What the caller's project uses of its limits (`use_keystone_limits`).
pub(super) async fn usage(State(api): State<Arc<Api>>, Extension(caller): Extension<Caller>, _: NoBody) -> Answer {
    let limited = api.service.usage(&caller).await?;
    let usage = limited
        .iter()
        .map(|it| (it.resource.as_str().to_owned(), json!({"limit": it.limit, "usage": it.usage})))
        .collect::<serde_json::Map<_, _>>();
    Ok(reply::json(StatusCode::OK, &json!({"usage": usage})))
}
