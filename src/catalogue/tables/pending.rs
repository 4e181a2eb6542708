//! Images in `pending_delete`: deleted softly, while their data waits for the scrubber.
//!
//! The scrubber makes such an image `deleted` before it removes data, and `pending_delete` again when some could not be
//! removed, so that nobody brings an image back of whose data a part is gone. One that is killed in between leaves an
//! image in `deleted` with locations in `pending_delete`, which is what a plain deletion leaves too.

use crate::catalogue::tables::{
    LocationCipher,
    children::AT_ONCE,
    fleet::feed,
    locations::{Leftover, leftover},
    names::{ImageLocations, ImageMembers, ImageProperties, ImageTags, Images, time},
};
use crate::db::{DbError, Tx};
use crate::image::Status;
use crate::wire::fleet::Event;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use sea_query::{Condition, Expr, ExprTrait, Order, Query, SelectStatement, UpdateStatement};
use std::collections::BTreeMap;

/// Glance deletes what hangs on an image in transactions of their own, just before the image.
const JUST_BEFORE: TimeDelta = TimeDelta::seconds(5);

/// An image whose data is to be removed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Due {
    /// The image.
    pub(crate) id: String,
    /// It is `deleted` already: its removal was begun and has not come to its end.
    pub(crate) begun: bool,
    /// When it was deleted.
    pub(crate) deleted_at: Option<DateTime<Utc>>,
    /// Bytes of its data.
    pub(crate) size: Option<u64>,
}

/// An image as `--restore` finds it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Deleted {
    /// As the column has it.
    pub(crate) status: String,
    /// Whether it is deleted softly.
    pub(crate) deleted: bool,
    /// When that was.
    pub(crate) deleted_at: Option<DateTime<Utc>>,
    /// Bytes of its data.
    pub(crate) size: Option<u64>,
}

/// The first `limit` images after the id `after` whose data is to be removed: those deleted at `until` or before, and
/// those whose removal was begun.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn due(tx: &Tx<'_>, until: DateTime<Utc>, after: &str, limit: u64) -> Result<Vec<Due>, DbError> {
    let mut query = Query::select();
    query.columns([Images::Id, Images::Status, Images::DeletedAt, Images::Size]).from(Images::Table);
    query.cond_where(is_due(until)).and_where(Expr::col(Images::Id).gt(after));
    query.order_by(Images::Id, Order::Asc).limit(limit);
    tx.select(&query)?
        .iter()
        .map(|row| {
            let begun = row.get::<String>(1)? == Status::Deleted.as_str();
            Ok(Due { id: row.get(0)?, begun, deleted_at: row.get(2)?, size: bytes(row.get(3)?) })
        })
        .collect()
}

/// How many images are due, and how many wait for their time.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn count(tx: &Tx<'_>, until: DateTime<Utc>) -> Result<(u64, u64), DbError> {
    let of = |which: Condition| {
        let mut query = Query::select();
        query.expr(Expr::col(Images::Id).count()).from(Images::Table).cond_where(which);
        tx.select_one(&query)?.map_or(Ok(0), |row| row.get(0))
    };
    Ok((of(is_due(until))?, of(is_pending().add(Expr::col(Images::DeletedAt).gt(time(until))))?))
}

/// `pending_delete` → `deleted`. False when somebody else was faster, or brought the image back.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn claim(tx: &Tx<'_>, id: &str, until: DateTime<Utc>, now: DateTime<Utc>) -> Result<bool, DbError> {
    let mut statement = to_status(id, Status::Deleted, now);
    statement.cond_where(is_pending().add(Expr::col(Images::DeletedAt).lte(time(until))));
    Ok(tx.execute(&statement)? > 0)
}

/// `deleted` → `pending_delete`, of an image that was claimed and whose data could not be removed.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn give_back(tx: &Tx<'_>, id: &str, now: DateTime<Utc>) -> Result<(), DbError> {
    let mut statement = to_status(id, Status::PendingDelete, now);
    statement.and_where(Expr::col(Images::Status).eq(Status::Deleted.as_str()));
    statement.and_where(Expr::col(Images::Deleted).eq(true));
    tx.execute(&statement).map(drop)
}

/// The locations of these images, a page of them, whose data is still there.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn locations(tx: &Tx<'_>, cipher: &LocationCipher, ids: &[&str]) -> Result<Vec<Leftover>, DbError> {
    left(tx, cipher, ids, None)
}

/// The locations that this image had until it was deleted, and whose data is still there.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn last_locations(
    tx: &Tx<'_>,
    cipher: &LocationCipher,
    id: &str,
    image: &Deleted,
) -> Result<Vec<Leftover>, DbError> {
    left(tx, cipher, &[id], image.deleted_at.map(|it| it - JUST_BEFORE))
}

/// Rows that were deleted at `since` or later.
fn left(
    tx: &Tx<'_>,
    cipher: &LocationCipher,
    ids: &[&str],
    since: Option<DateTime<Utc>>,
) -> Result<Vec<Leftover>, DbError> {
    let mut query = Query::select();
    use ImageLocations::{Id, ImageId, MetaData, Value};
    query.columns([Id, Value, MetaData, ImageId]).from(ImageLocations::Table);
    query.and_where(Expr::col(ImageLocations::ImageId).is_in(ids.iter().copied()));
    query.and_where(Expr::col(ImageLocations::Status).eq("pending_delete"));
    if let Some(since) = since {
        query.and_where(Expr::col(ImageLocations::DeletedAt).gte(time(since)));
    }
    query.order_by(ImageLocations::Id, Order::Asc);
    tx.select(&query)?.iter().map(|row| leftover(cipher, row)).collect()
}

/// An image, deleted or not.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn find(tx: &Tx<'_>, id: &str) -> Result<Option<Deleted>, DbError> {
    let mut query = Query::select();
    query.columns([Images::Status, Images::Deleted, Images::DeletedAt, Images::Size]).from(Images::Table);
    query.and_where(Expr::col(Images::Id).eq(id));
    let read = |row: crate::db::Row| {
        let (status, deleted, deleted_at) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Deleted { status, deleted, deleted_at, size: bytes(row.get(3)?) })
    };
    tx.select_one(&query)?.map(read).transpose()
}

/// `pending_delete` → `active`, with these rows of locations, and with the properties, tags and members that were deleted
/// with the image. False when it is not as it was found any more: then nothing was written.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn restore(
    tx: &Tx<'_>,
    id: &str,
    found: &Deleted,
    rows: &[i64],
    now: DateTime<Utc>,
) -> Result<bool, DbError> {
    let Some(deleted_at) = found.deleted_at else { return Ok(false) };
    let mut statement = to_status(id, Status::Active, now);
    statement.value(Images::Deleted, false).value(Images::DeletedAt, NEVER);
    statement.cond_where(is_pending().add(Expr::col(Images::DeletedAt).eq(Expr::val(time(deleted_at)))));
    if tx.execute(&statement)? == 0 {
        return Ok(false);
    }
    let mut statement = Query::update();
    statement.table(ImageLocations::Table).value(ImageLocations::Status, "active");
    statement.value(ImageLocations::Deleted, false).value(ImageLocations::DeletedAt, NEVER);
    statement.value(ImageLocations::UpdatedAt, time(now));
    statement.and_where(Expr::col(ImageLocations::Id).is_in(rows.iter().copied()));
    tx.execute(&statement)?;
    let since = deleted_at - JUST_BEFORE;
    // What Glance keeps of an import or a copy that the deletion ended is not brought back.
    macro_rules! restore {
        ($table:ident, $key:ident) => {{
            let mut query = Query::select();
            query.columns([$table::Id, $table::$key]).from($table::Table);
            query.and_where(Expr::col($table::ImageId).eq(id)).and_where(Expr::col($table::Deleted).eq(true));
            query.and_where(Expr::col($table::DeletedAt).gte(time(since)));
            for part in newest(tx, &query)?.chunks(AT_ONCE) {
                let mut statement = Query::update();
                statement.table($table::Table).value($table::Deleted, false).value($table::DeletedAt, NEVER);
                statement.value($table::UpdatedAt, time(now));
                statement.and_where(Expr::col($table::Id).is_in(part.iter().copied()));
                tx.execute(&statement)?;
            }
        }};
    }
    restore!(ImageProperties, Name);
    restore!(ImageTags, Value);
    restore!(ImageMembers, Member);
    feed::image(tx, Event::ImageUpdated, id)?;
    Ok(true)
}

const NEVER: Option<NaiveDateTime> = None;

/// One row, the newest, of each key.
fn newest(tx: &Tx<'_>, query: &SelectStatement) -> Result<Vec<i64>, DbError> {
    let mut rows = BTreeMap::new();
    for row in tx.select(query)? {
        let (row, key): (i64, String) = (row.get(0)?, row.get(1)?);
        if !key.starts_with("os_glance") {
            rows.entry(key).and_modify(|it| *it = Ord::max(row, *it)).or_insert(row);
        }
    }
    Ok(rows.into_values().collect())
}

fn is_pending() -> Condition {
    Condition::all()
        .add(Expr::col(Images::Status).eq(Status::PendingDelete.as_str()))
        .add(Expr::col(Images::Deleted).eq(true))
}

fn is_due(until: DateTime<Utc>) -> Condition {
    let mut left = Query::select();
    left.expr(Expr::val(1)).from(ImageLocations::Table);
    let of_image = (Images::Table, Images::Id);
    left.and_where(Expr::col((ImageLocations::Table, ImageLocations::ImageId)).equals(of_image));
    left.and_where(Expr::col((ImageLocations::Table, ImageLocations::Status)).eq("pending_delete"));
    let begun = Condition::all()
        .add(Expr::col(Images::Status).eq(Status::Deleted.as_str()))
        .add(Expr::col(Images::Deleted).eq(true))
        .add(Expr::exists(left));
    Condition::any().add(is_pending().add(Expr::col(Images::DeletedAt).lte(time(until)))).add(begun)
}

fn to_status(id: &str, status: Status, now: DateTime<Utc>) -> UpdateStatement {
    let mut statement = Query::update();
    statement.table(Images::Table).value(Images::Status, status.as_str()).value(Images::UpdatedAt, time(now));
    statement.and_where(Expr::col(Images::Id).eq(id));
    statement
}

fn bytes(size: Option<i64>) -> Option<u64> {
    size.and_then(|it| u64::try_from(it).ok())
}
