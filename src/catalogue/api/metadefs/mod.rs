//! `/v2/metadefs` and all below it.

mod namespaces;
mod objects;
mod properties;
mod resource_types;
mod tags;

use crate::catalogue::api::{
    extract::NoBody,
    refusal::Refusal,
    reply,
    state::{Answer, Api},
};
use crate::catalogue::tables::metadefs::Content;
use crate::identity::Caller;
use axum::{
    Extension, Router,
    extract::{FromRequestParts, RawPathParams, State},
    routing::{MethodRouter, delete, get, post},
};
use http::{StatusCode, request::Parts};
use std::sync::Arc;

/// The routes.
pub(super) fn routes() -> Router<Arc<Api>> {
    let one_tag = get(tags::show).post(tags::create).put(tags::update).delete(tags::delete);
    let one_property = get(properties::show).put(properties::update).delete(properties::delete);
    let one_object = get(objects::show).put(objects::update).delete(objects::delete);
    let namespace = get(namespaces::show).put(namespaces::update).delete(namespaces::delete);
    let namespaces = Router::new()
        .route("/", namespace)
        .route("/resource_types", get(resource_types::of_namespace).post(resource_types::associate))
        .route("/resource_types/{name}", delete(resource_types::dissociate))
        .route("/properties", get(properties::list).post(properties::create).merge(clear(Content::Properties)))
        .route("/properties/{name}", one_property)
        .route("/objects", get(objects::list).post(objects::create).merge(clear(Content::Objects)))
        .route("/objects/{name}", one_object)
        .route("/tags", get(tags::list).post(tags::create_many).merge(clear(Content::Tags)))
        .route("/tags/{name}", one_tag);
    Router::new()
        .route("/v2/metadefs/resource_types", get(resource_types::list))
        .route("/v2/metadefs/namespaces", get(namespaces::list).merge(post(namespaces::create)))
        .nest("/v2/metadefs/namespaces/{namespace}", namespaces)
}

/// `DELETE` of all objects, all properties or all tags of a namespace.
fn clear(content: Content) -> MethodRouter<Arc<Api>> {
    let handle = async move |State(api): State<Arc<Api>>,
                             Extension(caller): Extension<Caller>,
                             _: NoBody,
                             Names(namespace, _): Names|
                -> Answer {
        api.service.metadefs(&caller).clear(&namespace, content).await?;
        Ok(reply::empty(StatusCode::NO_CONTENT))
    };
    delete(handle)
}

/// `{namespace}` and `{name}` of the path, decoded; the second is empty where the path has none.
struct Names(String, String);

// === impl Names ===

impl<S: Send + Sync> FromRequestParts<S> for Names {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        // What is no UTF-8 names nothing.
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| Refusal::no_resource())?;
        let of = |name: &str| params.iter().find(|it| it.0 == name).map(|it| it.1.to_owned()).unwrap_or_default();
        let (namespace, name) = (of("namespace"), of("name"));
        // No segment of a path holds a slash, encoded or not (Glance's behaviour).
        if namespace.contains('/') || name.contains('/') {
            return Err(Refusal::no_resource());
        }
        Ok(Self(namespace, name))
    }
}

/// The parameters of a request, decoded, in their order.
fn params(query: Option<String>) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect()
}

/// The last one of this name, unless it is empty.
fn param<'a>(params: &'a [(String, String)], name: &str) -> Option<&'a str> {
    params.iter().rev().find(|it| it.0 == name).map(|it| it.1.as_str()).filter(|it| !it.is_empty())
}
