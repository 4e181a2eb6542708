//! The tables of the metadata definitions. Their rows are deleted for good (Glance's behaviour).

pub(crate) mod associations;
mod content;
mod names;
pub(crate) mod namespaces;
pub(crate) mod objects;
pub(crate) mod properties;
pub(crate) mod tags;

pub(crate) use content::{Content, clear, clear_all, remove};

use crate::catalogue::tables::names::time;
use crate::db::{DbError, Row};
use crate::image::metadef::Times;

/// Rows that one statement inserts; all engines take that many values.
const AT_ONCE: usize = 500;

/// `created_at` and `updated_at`, in the columns `at` and the next.
fn times(row: &Row, at: usize) -> Result<Times, DbError> {
    Ok(Times { created: row.get(at)?, updated: row.get(at + 1)? })
}

/// The values of `created_at` and `updated_at`.
fn written(times: Times) -> [sea_query::Expr; 2] {
    [time(times.created).into(), times.updated.map(|it| it.naive_utc()).into()]
}

/// A JSON column: what is no object counts as an empty one.
fn object(text: Option<&str>) -> serde_json::Map<String, serde_json::Value> {
    text.and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default()
}
