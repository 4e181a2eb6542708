//! `db purge` and `db purge_images_table`: rows of what was deleted long ago go for good.

use crate::catalogue::{
    manage::{ManageError, database},
    tables::{
        self,
        purge::{self, ALL_BUT_IMAGES, Purged, STEP},
    },
};
use crate::db::{DbError, Settings};
use chrono::{TimeDelta, Utc};

/// The greatest `max_rows` (Glance's).
const MOST_ROWS: i64 = i32::MAX as i64;

/// What goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purge {
    /// Days that a row was deleted for at least.
    age_in_days: i64,
    /// Rows of each table at the most; none for all.
    max_rows: Option<u64>,
    /// The rows of `images`, and of no other table.
    images: bool,
}

/// The numbers make no sense; the words are Glance's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PurgeError {
    /// Of `age_in_days`.
    #[error("Must supply a non-negative value for age.")]
    NegativeAge,
    /// Of `age_in_days`.
    #[error("Maximal age is count of days since epoch.")]
    BeforeEpoch,
    /// Of `max_rows`.
    #[error("Minimal rows limit is -1.")]
    NegativeRows,
    /// Of `max_rows`.
    #[error("'max_rows' value out of range, must not exceed {MOST_ROWS}.")]
    TooManyRows,
}

/// What became of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TablePurged {
    /// Its name.
    pub table: &'static str,
    /// Rows that went, or would go.
    pub rows: u64,
    /// Rows that are old enough and cannot go: others refer to them, or they say where data is that is still to be
    /// removed.
    pub needed: u64,
}

// === impl Purge ===

impl Purge {
    /// As `glance-manage db purge` takes it; -1 rows are all rows.
    ///
    /// # Errors
    /// [`PurgeError`].
    pub fn new(age_in_days: i64, max_rows: i64, images: bool) -> Result<Self, PurgeError> {
        if age_in_days < 0 {
            return Err(PurgeError::NegativeAge);
        }
        if age_in_days.saturating_mul(86_400) >= Utc::now().timestamp() {
            return Err(PurgeError::BeforeEpoch);
        }
        match max_rows {
            ..-1 => Err(PurgeError::NegativeRows),
            -1 => Ok(Self { age_in_days, max_rows: None, images }),
            rows if rows > MOST_ROWS => Err(PurgeError::TooManyRows),
            rows => Ok(Self { age_in_days, max_rows: Some(rows.unsigned_abs()), images }),
        }
    }
}

/// Takes rows out for good, table by table; with `dry_run`, says what would go. What was done when it fails stays done.
///
/// # Errors
/// [`ManageError`].
pub async fn purge(settings: &Settings, what: Purge, dry_run: bool) -> Result<Vec<TablePurged>, ManageError> {
    let db = database::open(settings).await?;
    tables::ensure(&db).await?;
    let until = Utc::now() - TimeDelta::days(what.age_in_days);
    let tables: &[Purged] = if what.images { &[Purged::Images] } else { &ALL_BUT_IMAGES };
    let most = what.max_rows.unwrap_or(u64::MAX);
    let mut done = Vec::new();
    for &table in tables {
        let mut rows = 0;
        while !dry_run && rows < most {
            let limit = STEP.min(most - rows);
            let gone = db.write::<_, DbError, _>(move |tx| purge::step(tx, table, until, limit)).await?;
            rows += gone;
            if gone < limit {
                break;
            }
        }
        let (free, mut needed) = db.read::<_, DbError, _>(move |tx| purge::count(tx, table, until)).await?;
        // Tasks are held by rows of `task_info` alone, which go before them, up to the same number.
        let held = if table == Purged::Tasks { std::mem::take(&mut needed) } else { 0 };
        if dry_run {
            rows = (free + held).min(most);
        }
        done.push(TablePurged { table: table.name(), rows, needed });
    }
    Ok(done)
}
