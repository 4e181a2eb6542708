//! `/larder/v1/jobs` and `/larder/v1/jobs/{job}`

use crate::catalogue::api::{
    extract::{Document, NoBody},
    larder::{
        body,
        params::{Named, Params},
    },
    pipeline::BaseUrl,
    refusal::Refusal,
    state::{Answer, Api},
};
use crate::identity::Caller;
use crate::wire::fleet::JobId;
use axum::{Extension, extract::State};
use http::{HeaderValue, StatusCode, header};
use std::sync::Arc;

type Shared = State<Arc<Api>>;
type Who = Extension<Caller>;

pub(super) async fn create(
    State(api): Shared,
    Extension(caller): Who,
    Extension(BaseUrl(base)): Extension<BaseUrl>,
    document: Result<Document, Refusal>,
) -> Answer {
    let job = api.service.make_job(&caller, body::read(&document?.0)?).await?;
    let mut response = body::answer(StatusCode::ACCEPTED, &job)?;
    if let Ok(location) = HeaderValue::try_from(format!("{base}/larder/v1/jobs/{}", job.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

pub(super) async fn list(State(api): Shared, Extension(caller): Who, params: Params, _: NoBody) -> Answer {
    params.only(&["limit", "marker"])?;
    body::answer(StatusCode::OK, &api.service.jobs(&caller, params.bounds(&api)?).await?)
}

pub(super) async fn show(
    State(api): Shared,
    Extension(caller): Who,
    Named(job): Named<JobId>,
    params: Params,
    _: NoBody,
) -> Answer {
    params.only(&["limit", "marker"])?;
    body::answer(StatusCode::OK, &api.service.job(&caller, &job, params.bounds(&api)?).await?)
}

pub(super) async fn cancel(State(api): Shared, Extension(caller): Who, Named(job): Named<JobId>, _: NoBody) -> Answer {
    body::answer(StatusCode::OK, &api.service.cancel_job(&caller, &job).await?)
}
