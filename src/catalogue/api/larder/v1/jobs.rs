//! `/larder/v1/jobs` and `/larder/v1/jobs/{job}`

use crate::catalogue::api::{
    extract::NoBody,
    larder::{
        asked::{Asked, Sent},
        body::{answer, done},
        params::{Named, Params},
    },
    pipeline::BaseUrl,
    state::Answer,
};
use crate::wire::fleet::{JobId, NewJob};
use axum::Extension;
use http::{HeaderValue, StatusCode, header};

pub(super) async fn create(
    asked: Asked,
    Extension(BaseUrl(base)): Extension<BaseUrl>,
    Sent(new): Sent<NewJob>,
) -> Answer {
    let job = asked.service().make_job(&asked.caller, new).await?;
    let mut response = answer(StatusCode::ACCEPTED, &job)?;
    if let Ok(location) = HeaderValue::try_from(format!("{base}/larder/v1/jobs/{}", job.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

pub(super) async fn list(asked: Asked, params: Params, _: NoBody) -> Answer {
    params.only(&["limit", "marker"])?;
    done(&asked.service().jobs(&asked.caller, asked.bounds(&params)?).await?)
}

pub(super) async fn show(asked: Asked, Named(job): Named<JobId>, params: Params, _: NoBody) -> Answer {
    params.only(&["limit", "marker"])?;
    done(&asked.service().job(&asked.caller, &job, asked.bounds(&params)?).await?)
}

pub(super) async fn cancel(asked: Asked, Named(job): Named<JobId>, _: NoBody) -> Answer {
    done(&asked.service().cancel_job(&asked.caller, &job).await?)
}
