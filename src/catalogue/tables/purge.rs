//! Taking softly deleted rows out for good, in steps that each are a short transaction.
//!
//! Only rows that are deleted *and* were so before a time go: Glance looks at `deleted_at` alone, which an image that its
//! scrubber restored still has. Locations whose data is still to be removed stay, and with them their image, since
//! nothing else says where that data is. A row that another one refers to stays until that one is gone.

use crate::catalogue::tables::names::{
    ImageLocations, ImageMembers, ImageProperties, ImageTags, Images, TaskInfo, Tasks, time,
};
use crate::db::{DbError, Tx};
use chrono::{DateTime, Utc};
use sea_query::{Condition, Expr, ExprTrait, Iden, IntoIden, Order, Query, SelectStatement, Value};

/// Rows that go in one transaction.
pub(crate) const STEP: u64 = 500;

/// A table that rows are taken out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purged {
    /// `task_info`, of deleted tasks.
    TaskInfo,
    /// `image_properties`
    Properties,
    /// `image_tags`
    Tags,
    /// `image_locations`
    Locations,
    /// `image_members`
    Members,
    /// `tasks`
    Tasks,
    /// `images`
    Images,
}

/// What `db purge` takes rows out of, in Glance's order; `images` is apart (OSSN-0075).
pub(crate) const ALL_BUT_IMAGES: [Purged; 6] =
    [Purged::TaskInfo, Purged::Properties, Purged::Tags, Purged::Locations, Purged::Members, Purged::Tasks];

/// Takes out the `limit` rows that were deleted first of those deleted before `until`; how many went.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn step(tx: &Tx<'_>, table: Purged, until: DateTime<Utc>, limit: u64) -> Result<u64, DbError> {
    let mut query = table.select(until);
    query.limit(limit);
    let rows = tx.select(&query)?;
    let keys: Vec<Value> = rows
        .iter()
        .map(|row| match table {
            Purged::TaskInfo | Purged::Tasks | Purged::Images => Ok(row.get::<String>(0)?.into()),
            _ => Ok(row.get::<i64>(0)?.into()),
        })
        .collect::<Result<_, DbError>>()?;
    if keys.is_empty() {
        return Ok(0);
    }
    let mut statement = Query::delete();
    statement.from_table(table.name()).and_where(Expr::col(table.key()).is_in(keys));
    tx.execute(&statement)
}

/// How many rows would go in all, and how many are old enough and stay, since they are still needed.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn count(tx: &Tx<'_>, table: Purged, until: DateTime<Utc>) -> Result<(u64, u64), DbError> {
    let of = |mut query: SelectStatement| {
        query.clear_selects().clear_order_by().expr(Expr::col((table.name(), table.key())).count());
        tx.select_one(&query)?.map_or(Ok(0), |row| row.get(0))
    };
    let (free, old): (u64, u64) = (of(table.select(until))?, of(table.old(until))?);
    Ok((free, old.saturating_sub(free)))
}

// === impl Purged ===

impl Purged {
    /// The table's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TaskInfo => "task_info",
            Self::Properties => "image_properties",
            Self::Tags => "image_tags",
            Self::Locations => "image_locations",
            Self::Members => "image_members",
            Self::Tasks => "tasks",
            Self::Images => "images",
        }
    }

    fn key(self) -> &'static str {
        if self == Self::TaskInfo { "task_id" } else { "id" }
    }

    /// The keys of rows that are old enough, those deleted first in front.
    fn old(self, until: DateTime<Utc>) -> SelectStatement {
        // The rows of `task_info` go with those of `tasks`.
        let dated = if self == Self::TaskInfo { Self::Tasks } else { self };
        let mut query = Query::select();
        query.column((self.name(), self.key())).from(self.name());
        if self == Self::TaskInfo {
            let of_task = Expr::col((Tasks::Table, Tasks::Id)).equals((TaskInfo::Table, TaskInfo::TaskId));
            query.inner_join(Tasks::Table, of_task);
        }
        query.and_where(Expr::col((dated.name(), "deleted")).eq(true));
        query.and_where(Expr::col((dated.name(), "deleted_at")).lt(time(until)));
        query.order_by((dated.name(), "deleted_at"), Order::Asc);
        query
    }

    /// Those of them that nothing needs.
    fn select(self, until: DateTime<Utc>) -> SelectStatement {
        let mut query = self.old(until);
        match self {
            Self::Locations => {
                query.and_where(Expr::col((ImageLocations::Table, ImageLocations::Status)).ne("pending_delete"));
            }
            Self::Tasks => {
                query.cond_where(nothing_refers(TaskInfo::Table, TaskInfo::TaskId, (Tasks::Table, Tasks::Id)));
            }
            Self::Images => {
                let image = (Images::Table, Images::Id);
                query.cond_where(nothing_refers(ImageProperties::Table, ImageProperties::ImageId, image));
                query.cond_where(nothing_refers(ImageTags::Table, ImageTags::ImageId, image));
                query.cond_where(nothing_refers(ImageLocations::Table, ImageLocations::ImageId, image));
                query.cond_where(nothing_refers(ImageMembers::Table, ImageMembers::ImageId, image));
            }
            Self::TaskInfo | Self::Properties | Self::Tags | Self::Members => {}
        }
        query
    }
}

/// No row of `table` has its `column` equal to this one.
fn nothing_refers<T: Iden + Copy + 'static, U: Iden + Copy + 'static>(table: T, column: T, to: (U, U)) -> Condition {
    let mut rows = Query::select();
    rows.expr(Expr::val(1)).from(table.into_iden());
    rows.and_where(Expr::col((table, column)).equals(to));
    Condition::all().add(Expr::exists(rows).not())
}
