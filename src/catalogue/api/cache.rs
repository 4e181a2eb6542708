//! `/v2/cache`: the cache of an API server, which a catalogue without one does not manage.

use super::{refusal::Refusal, state::Answer};
use http::StatusCode;

/// What a server without `image_cache_dir` says.
pub(super) async fn unsupported() -> Answer {
    Err(Refusal::new(StatusCode::NOT_FOUND, "Caching via API is not supported at this site."))
}
