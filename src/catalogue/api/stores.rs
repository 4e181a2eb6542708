//! `/v2/stores/{store}/{image_id}`: the data of an image in one of several stores.

use super::{
    info::one_store,
    reply,
    state::{Answer, Api, Worded, no_image},
};
use crate::identity::Caller;
use axum::{
    Extension,
    extract::{Path, State},
};
use http::StatusCode;
use std::sync::Arc;

/// Removes them; answered by sites with several stores only.
pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path((store, id)): Path<(String, String)>,
) -> Answer {
    if api.service.backends().is_none() {
        return Err(one_store());
    }
    let words = |id: &str| format!("Failed to find image {id}");
    let parsed = id.parse().map_err(|_| no_image(&id));
    let outcome = match parsed {
        Ok(id) => api.service.delete_from_store(&caller, &store, &id).await,
        Err(fault) => Err(fault),
    };
    outcome.no_image(words)?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}
