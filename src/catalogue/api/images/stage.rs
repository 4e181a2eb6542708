//! `PUT /v2/images/{id}/stage`: the first half of the import method `glance-direct`, which is not enabled.

use crate::catalogue::api::{refusal::Refusal, state::Answer};
use http::StatusCode;

/// What a server without `glance-direct` says.
pub(in crate::catalogue::api) async fn handle() -> Answer {
    Err(Refusal::new(StatusCode::NOT_FOUND, "'glance-direct' method is not available at this site."))
}
