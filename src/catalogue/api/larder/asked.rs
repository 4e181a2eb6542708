//! What every request here has: who asks, the service that answers, and perhaps a document.

use super::{body, params::Params};
use crate::catalogue::{
    api::{extract::Document, refusal::Refusal, state::Api},
    service::{Bounds, Fault, Service},
};
use crate::identity::Caller;
use axum::{
    Extension,
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
};
use http::request::Parts;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Who asks, and whom.
pub(super) struct Asked {
    pub(super) caller: Caller,
    api: Arc<Api>,
}

/// The document of the request.
pub(super) struct Sent<T>(pub(super) T);

// === impl Asked ===

impl FromRequestParts<Arc<Api>> for Asked {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Refusal> {
        let caller = Extension::<Caller>::from_request_parts(parts, api).await.map_err(Fault::internal)?;
        Ok(Self { caller: caller.0, api: Arc::clone(api) })
    }
}

impl Asked {
    pub(super) fn service(&self) -> &Service {
        &self.api.service
    }

    /// `limit` and `marker`.
    pub(super) fn bounds(&self, params: &Params) -> Result<Bounds, Fault> {
        Ok(Bounds { marker: params.get("marker")?, limit: self.limit(params)? })
    }

    /// `limit`, which is at least 1 and at most `api_limit_max`.
    pub(super) fn limit(&self, params: &Params) -> Result<usize, Fault> {
        let settings = self.api.settings();
        let most = settings.api_limit_max.max(1);
        match params.get::<usize>("limit")? {
            Some(0) => Err(Fault::Invalid("limit: it is at least 1.".to_owned())),
            Some(limit) => Ok(limit.min(most)),
            None => Ok(settings.limit_param_default.clamp(1, most)),
        }
    }
}

// === impl Sent ===

impl<T: DeserializeOwned> FromRequest<Arc<Api>> for Sent<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request<Body>, api: &Arc<Api>) -> Result<Self, Refusal> {
        let document = Document::from_request(request, api).await?;
        Ok(Self(body::read(&document.0)?))
    }
}
