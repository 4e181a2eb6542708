//! `/larder/v1/nodes` and below.

use crate::catalogue::api::{
    extract::{Document, NoBody},
    larder::{
        body,
        params::{Named, Params},
    },
    refusal::Refusal,
    reply,
    state::{Answer, Api},
};
use crate::identity::Caller;
use crate::wire::fleet::NodeName;
use axum::{Extension, extract::State};
use http::StatusCode;
use std::sync::Arc;

type Shared = State<Arc<Api>>;
type Who = Extension<Caller>;

pub(super) async fn list(State(api): Shared, Extension(caller): Who, params: Params, _: NoBody) -> Answer {
    params.only(&["label", "limit", "marker"])?;
    let page = api.service.nodes(&caller, params.selector()?, params.bounds(&api)?).await?;
    body::answer(StatusCode::OK, &page)
}

pub(super) async fn register(
    State(api): Shared,
    Extension(caller): Who,
    Named(name): Named<NodeName>,
    document: Result<Document, Refusal>,
) -> Answer {
    let registered = api.service.register(&caller, &name, body::read(&document?.0)?).await?;
    body::answer(StatusCode::OK, &registered)
}

pub(super) async fn show(
    State(api): Shared,
    Extension(caller): Who,
    Named(name): Named<NodeName>,
    params: Params,
    _: NoBody,
) -> Answer {
    params.only(&[])?;
    body::answer(StatusCode::OK, &api.service.node(&caller, &name).await?)
}

pub(super) async fn delete(
    State(api): Shared,
    Extension(caller): Who,
    Named(name): Named<NodeName>,
    _: NoBody,
) -> Answer {
    api.service.forget_node(&caller, &name).await?;
    Ok(reply::bare(StatusCode::NO_CONTENT))
}

pub(super) async fn heartbeat(
    State(api): Shared,
    Extension(caller): Who,
    Named(name): Named<NodeName>,
    document: Result<Document, Refusal>,
) -> Answer {
    let answer = api.service.heartbeat(&caller, &name, body::read(&document?.0)?).await?;
    body::answer(StatusCode::OK, &answer)
}

pub(super) async fn images(
    State(api): Shared,
    Extension(caller): Who,
    Named(name): Named<NodeName>,
    params: Params,
    _: NoBody,
) -> Answer {
    params.only(&["limit", "marker"])?;
    let page = api.service.node_images(&caller, &name, params.bounds(&api)?).await?;
    body::answer(StatusCode::OK, &page)
}
