//! `/v2/stores/{store}/{image_id}`: the data of an image in one of several stores.

use super::{refusal::Refusal, state::Answer};
use http::StatusCode;

/// Answered by sites with several stores only.
pub(super) async fn delete() -> Answer {
    Err(Refusal::new(StatusCode::NOT_FOUND, "Multi backend is not supported at this site."))
}
