//! `/larder/v1/…`: the fleet. A path is the path of a file here.

mod changes;
mod images;
mod jobs;
mod nodes;
mod openapi;
mod rules;
#[cfg(test)]
mod tests;

use crate::catalogue::api::state::Api;
use axum::{
    Router,
    routing::{get, post, put},
};
use std::sync::Arc;

pub(in crate::catalogue::api) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/larder/v1/nodes", get(nodes::list))
        .route("/larder/v1/nodes/{name}", put(nodes::register).get(nodes::show).delete(nodes::delete))
        .route("/larder/v1/nodes/{name}/heartbeat", post(nodes::heartbeat))
        .route("/larder/v1/nodes/{name}/images", get(nodes::images))
        .route("/larder/v1/images/{image}/nodes", get(images::nodes))
        .route("/larder/v1/images/{image}/verify", post(images::verify))
        .route("/larder/v1/jobs", post(jobs::create).get(jobs::list))
        .route("/larder/v1/jobs/{job}", get(jobs::show).delete(jobs::cancel))
        .route("/larder/v1/rules", get(rules::list))
        .route("/larder/v1/rules/{name}", put(rules::put).delete(rules::delete))
        .route("/larder/v1/changes", get(changes::read))
        .route("/larder/v1/openapi.json", get(openapi::show))
}
