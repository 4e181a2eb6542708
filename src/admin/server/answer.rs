//! Answers in JSON.

use super::Fault;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;

pub(super) fn json<T: Serialize>(result: Result<T, Fault>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(fault) => fault.into_response(),
    }
}

/// Success without content.
pub(super) fn empty(status: StatusCode, result: Result<(), Fault>) -> Response {
    match result {
        Ok(()) => status.into_response(),
        Err(fault) => fault.into_response(),
    }
}

pub(super) fn error(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        error(status, &self.to_string())
    }
}
