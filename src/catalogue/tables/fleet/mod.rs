//! The fleet's tables, `larder_…`. Glance and its tools do not look at these.

mod clock;
pub(crate) mod counters;
pub(crate) mod feed;
pub(crate) mod inventory;
pub(crate) mod items;
pub(crate) mod jobs;
mod names;
pub(crate) mod nodes;
pub(crate) mod owners;
pub(crate) mod rules;

pub(crate) use clock::now;

use crate::db::DbError;

/// A column that holds something else than was ever written there.
fn odd(column: usize, found: impl std::fmt::Display, expected: &'static str) -> DbError {
    DbError::Column { column, found: found.to_string().chars().take(80).collect(), expected }
}
