//! `/v2/info/import`, `/v2/info/stores`, `/v2/info/usage`: what this site offers.

use super::{
    extract::NoBody,
    refusal::Refusal,
    reply,
    state::{Answer, Api},
};
use crate::identity::Caller;
use axum::{Extension, extract::State};
use http::StatusCode;
use serde_json::json;
use std::sync::Arc;

/// The import methods: none.
pub(super) async fn import(_: NoBody) -> Answer {
    let methods = json!({"description": "Import methods available.", "type": "array", "value": []});
    Ok(reply::json(StatusCode::OK, &json!({"import-methods": methods})))
}

/// Answered by sites with several stores only.
pub(super) async fn stores(_: NoBody) -> Answer {
    Err(Refusal::new(StatusCode::NOT_FOUND, "Multi backend is not supported at this site."))
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
