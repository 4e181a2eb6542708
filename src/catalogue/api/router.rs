//! Which handler answers which path.

use super::{
    cache, cached_images, images, info, larder, metadefs, pipeline, refusal::Refusal, schemas, state::Api, stores,
    tasks,
};
use crate::catalogue::service::Service;
use axum::{
    Router,
    extract::{Request, State},
    middleware,
    routing::{delete, get, post, put},
};
use std::sync::Arc;

/// The whole API, to be given to [`crate::http::server::serve`].
pub fn router(service: Arc<Service>) -> Router {
    let api = Arc::new(Api::new(service));
    let routes = routes(api.clone());
    // The pipeline changes the path, so it has to stand before the router and not in its layers.
    Router::new().fallback(move |request: Request| pipeline::answer(api.clone(), routes.clone(), request))
}

fn routes(api: Arc<Api>) -> Router {
    let managed = api.settings().cache.managed;
    Router::new()
        .merge(image_routes())
        .merge(metadefs::routes())
        .merge(larder::routes())
        .route("/v2/schemas/{name}", get(schemas::show))
        .route("/v2/schemas/metadefs/{name}", get(schemas::show_metadef))
        .route("/v2/info/import", get(info::import))
        .route("/v2/info/stores", get(info::stores))
        .route("/v2/info/stores/detail", get(info::stores_detail))
        .route("/v2/info/usage", get(info::usage))
        .route("/v2/stores/{store}/{image_id}", delete(stores::delete))
        .route("/v2/tasks", get(tasks::list).post(tasks::create))
        .route("/v2/tasks/{task_id}", get(tasks::show).delete(tasks::delete))
        .route("/v2/cache", get(cache::list).delete(cache::clear))
        .route("/v2/cache/{image_id}", delete(cache::delete).put(cache::queue))
        .route("/v2/cache/nodes/{image_id}", get(cache::nodes))
        .route("/v2/cache/clean", post(cache::clean))
        .route("/v2/cache/prune", post(cache::prune))
        .merge(if managed { cached_images::routes() } else { Router::new() })
        .layer(middleware::from_fn(pipeline::note_route))
        .fallback(async |_: State<Arc<Api>>| Refusal::no_resource())
        .with_state(api)
}

fn image_routes() -> Router<Arc<Api>> {
    let one = get(images::show::handle).patch(images::update::handle).delete(images::delete::handle);
    let member = get(images::members::show).put(images::members::update).delete(images::members::delete);
    Router::new()
        .route("/v2/images", get(images::list::handle).post(images::create::handle))
        .route("/v2/images/{image_id}", one)
        .route("/v2/images/{image_id}/file", get(images::data::download).put(images::data::upload))
        .route("/v2/images/{image_id}/stage", put(images::stage::handle))
        .route("/v2/images/{image_id}/import", post(images::import::handle))
        .route("/v2/images/{image_id}/tasks", get(images::tasks::handle))
        .route("/v2/images/{image_id}/locations", get(images::locations::list).post(images::locations::add))
        .route("/v2/images/{image_id}/actions/deactivate", post(images::actions::deactivate))
        .route("/v2/images/{image_id}/actions/reactivate", post(images::actions::reactivate))
        .route("/v2/images/{image_id}/members", get(images::members::list).post(images::members::create))
        .route("/v2/images/{image_id}/members/{member_id}", member)
        .route("/v2/images/{image_id}/tags/{tag}", put(images::tags::add).delete(images::tags::remove))
}
