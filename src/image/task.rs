//! Tasks: work on an image that goes on behind a request, and how they are listed.

use crate::image::query::{Limits, QueryError};
use chrono::{DateTime, Utc};

/// Work that was asked for, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// A UUID.
    pub id: String,
    /// `import`, `api_image_import` or `location_import`.
    pub kind: String,
    /// `pending`, `processing`, `success` or `failure`.
    pub status: String,
    /// The project that asked for it.
    pub owner: String,
    /// When it may be forgotten; set at its end.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it last went on.
    pub updated_at: DateTime<Utc>,
    /// The image that it works on.
    pub image: Option<String>,
    /// The request that asked for it.
    pub request: Option<String>,
    /// The user who asked for it.
    pub user: Option<String>,
    /// What went in: JSON. Not read for listings.
    pub input: Option<String>,
    /// What came out: JSON. Not read for listings.
    pub result: Option<String>,
    /// Why it failed. Not read for listings.
    pub message: Option<String>,
}

/// What a listing of tasks asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskQuery {
    /// How many at most; 0 lists nothing.
    pub limit: usize,
    /// The id of the last task of the page before.
    pub marker: Option<String>,
    /// What they are sorted by.
    pub sort: TaskKey,
    /// The last first.
    pub descending: bool,
    /// Equalities; all of them hold.
    pub filters: Vec<(TaskKey, String)>,
}

/// What tasks are sorted and filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskKey {
    /// `id`
    Id,
    /// `type`
    Kind,
    /// `status`
    Status,
    /// `owner`
    Owner,
    /// `image_id`
    Image,
    /// `request_id`
    Request,
    /// `user_id`
    User,
    /// `created_at`
    CreatedAt,
    /// `updated_at`
    UpdatedAt,
    /// `expires_at`
    ExpiresAt,
}

/// Parameters and what they mean; times are only sorted by.
const KEYS: [(&str, TaskKey); 10] = [
    ("id", TaskKey::Id),
    ("type", TaskKey::Kind),
    ("status", TaskKey::Status),
    ("owner", TaskKey::Owner),
    ("image_id", TaskKey::Image),
    ("request_id", TaskKey::Request),
    ("user_id", TaskKey::User),
    ("created_at", TaskKey::CreatedAt),
    ("updated_at", TaskKey::UpdatedAt),
    ("expires_at", TaskKey::ExpiresAt),
];

/// Whatever a task is.
pub const TYPES: [&str; 3] = ["import", "api_image_import", "location_import"];

/// Wherever a task is.
pub const STATES: [&str; 4] = ["pending", "processing", "success", "failure"];

// === impl TaskQuery ===

impl TaskQuery {
    /// Reads the (decoded) parameters of `GET /v2/tasks`; of one given twice the last counts, and unknown ones do not.
    ///
    /// # Errors
    /// [`QueryError`], in Glance's words.
    pub fn parse(params: &[(String, String)], limits: Limits) -> Result<Self, QueryError> {
        let last = |name: &str| params.iter().rev().find(|it| it.0 == name).map(|it| it.1.as_str());
        let limit = last("limit").map_or(Ok(limits.default), crate::image::query::limit)?.min(limits.max);
        let key = |name: &str| KEYS.iter().find(|it| it.0 == name).map(|it| it.1);
        let sort = last("sort_key").unwrap_or("created_at");
        let sort = key(sort).ok_or(QueryError::TaskSortKey)?;
        let descending = match last("sort_dir") {
            None | Some("desc") => true,
            Some("asc") => false,
            Some(other) => return Err(QueryError::SortDirection(other.chars().take(80).collect())),
        };
        if let Some(status) = last("status").filter(|it| !it.is_empty() && !STATES.contains(it)) {
            return Err(QueryError::TaskStatus(status.chars().take(80).collect()));
        }
        if let Some(kind) = last("type").filter(|it| !it.is_empty() && !TYPES.contains(it)) {
            return Err(QueryError::TaskType(kind.chars().take(80).collect()));
        }
        let filters = KEYS[..7].iter().filter_map(|(name, key)| Some((*key, last(name)?.to_owned()))).collect();
        Ok(Self { limit, marker: last("marker").map(str::to_owned), sort, descending, filters })
    }
}
