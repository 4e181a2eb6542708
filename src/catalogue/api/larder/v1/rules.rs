//! `/larder/v1/rules` and `/larder/v1/rules/{name}`

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
use crate::wire::fleet::RuleName;
use axum::{Extension, extract::State};
use http::StatusCode;
use std::sync::Arc;

type Shared = State<Arc<Api>>;
type Who = Extension<Caller>;

pub(super) async fn list(State(api): Shared, Extension(caller): Who, params: Params, _: NoBody) -> Answer {
    params.only(&["node"])?;
    body::answer(StatusCode::OK, &api.service.rules(&caller, params.get("node")?).await?)
}

pub(super) async fn put(
    State(api): Shared,
    Extension(caller): Who,
    Named(name): Named<RuleName>,
    document: Result<Document, Refusal>,
) -> Answer {
    let rule = api.service.put_rule(&caller, &name, body::read(&document?.0)?).await?;
    body::answer(StatusCode::OK, &rule)
}

pub(super) async fn delete(
    State(api): Shared,
    Extension(caller): Who,
    Named(name): Named<RuleName>,
    _: NoBody,
) -> Answer {
    api.service.delete_rule(&caller, &name).await?;
    Ok(reply::bare(StatusCode::NO_CONTENT))
}
