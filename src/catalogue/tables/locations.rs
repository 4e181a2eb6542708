//! The table `image_locations`: where data is, and which data is still to be removed.

use crate::catalogue::tables::{
    LocationCipher,
    children::AT_ONCE,
    is_sealed,
    names::{ImageLocations, Images, alive, time},
};
use crate::db::{DbError, Row, Tx};
use crate::image::{ImageId, Location, Status};
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, Query};
use std::collections::HashMap;

/// Locations that a key is tried on.
const NEWEST: u64 = 100;

/// Notes where an image's data is.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn add(
    tx: &Tx<'_>,
    cipher: &LocationCipher,
    id: &ImageId,
    location: &Location,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let mut statement = Query::insert();
    statement.into_table(ImageLocations::Table).columns([
        ImageLocations::ImageId,
        ImageLocations::Value,
        ImageLocations::MetaData,
        ImageLocations::Status,
        ImageLocations::CreatedAt,
        ImageLocations::UpdatedAt,
        ImageLocations::Deleted,
    ]);
    let metadata = serde_json::Value::Object(location.metadata.clone()).to_string();
    statement.values_panic([
        Expr::val(id.as_str()),
        Expr::val(cipher.seal(&location.url)),
        Expr::val(metadata),
        Expr::val("active"),
        Expr::val(time(now)),
        Expr::val(time(now)),
        false.into(),
    ]);
    tx.execute(&statement).map(drop)
}

/// Writes the difference between two lists of an image's locations. The data of a place that is on neither list any more
/// is to be removed. Rows are read in the order in which they were written, so what is not where it was in the old list
/// is written anew.
///
/// # Errors
/// [`DbError`] of the statements.
pub(super) fn save(
    tx: &Tx<'_>,
    cipher: &LocationCipher,
    id: &ImageId,
    (before, after): (&[Location], &[Location]),
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    if before == after {
        return Ok(());
    }
    let mut query = Query::select();
    query.columns([ImageLocations::Id, ImageLocations::Value, ImageLocations::MetaData]).from(ImageLocations::Table);
    query.and_where(Expr::col(ImageLocations::ImageId).eq(id.as_str())).and_where(alive(ImageLocations::Deleted));
    query.and_where(Expr::col(ImageLocations::Status).eq("active"));
    query.order_by(ImageLocations::Id, sea_query::Order::Asc);
    let mut kept = 0;
    for row in tx.select(&query)? {
        let old = location(cipher, row.get(1)?, row.get(2)?);
        if after.get(kept) == Some(&old) {
            kept += 1;
            continue;
        }
        let stays = after.iter().any(|it| it.url == old.url);
        let mut statement = Query::update();
        statement.table(ImageLocations::Table).value(ImageLocations::Deleted, true);
        statement.value(ImageLocations::DeletedAt, time(now)).value(ImageLocations::UpdatedAt, time(now));
        statement.value(ImageLocations::Status, if stays { "deleted" } else { "pending_delete" });
        statement.and_where(Expr::col(ImageLocations::Id).eq(row.get::<i64>(0)?));
        tx.execute(&statement)?;
    }
    after[kept..].iter().try_for_each(|it| add(tx, cipher, id, it, now))
}

/// A row's place: what is noted of it is JSON.
pub(super) fn location(cipher: &LocationCipher, value: String, metadata: Option<String>) -> Location {
    let metadata = metadata.and_then(|it| serde_json::from_str(&it).ok()).unwrap_or_default();
    Location { url: cipher.open(value), metadata }
}

/// Whether any image, deleted ones aside, has its data at this place.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn is_location(tx: &Tx<'_>, cipher: &LocationCipher, id: &ImageId, url: &str) -> Result<bool, DbError> {
    let mut query = Query::select();
    query.column(ImageLocations::Value).from(ImageLocations::Table);
    query.and_where(Expr::col(ImageLocations::ImageId).eq(id.as_str()));
    query.and_where(alive(ImageLocations::Deleted));
    // What is encrypted cannot be compared by the database.
    let values = tx.select(&query)?.iter().map(|row| row.get(0)).collect::<Result<Vec<String>, _>>()?;
    Ok(values.into_iter().any(|it| cipher.open(it) == url))
}

/// An image whose newest location the key does not open, when it opens none of the newest ones: then it is another
/// key than they were encrypted with, or there is none.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn unopened(tx: &Tx<'_>, cipher: &LocationCipher) -> Result<Option<String>, DbError> {
    let mut query = Query::select();
    query.columns([ImageLocations::Value, ImageLocations::ImageId]).from(ImageLocations::Table);
    query.and_where(alive(ImageLocations::Deleted));
    query.order_by(ImageLocations::Id, sea_query::Order::Desc).limit(NEWEST);
    let mut unopened = None;
    for row in tx.select(&query)? {
        let value: String = row.get(0)?;
        if !is_sealed(&value) {
            continue;
        }
        if !is_sealed(&cipher.open(value)) {
            return Ok(None);
        }
        unopened = unopened.or(Some(row.get(1)?));
    }
    Ok(unopened)
}

/// A location whose data is still to be removed: the image is deleted, or has the location no more.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Leftover {
    /// The key of its row.
    pub(crate) row: i64,
    /// Where the data is.
    pub(crate) location: Location,
    /// The image that it was.
    pub(crate) image: String,
}

/// Which locations' data is to be removed.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Of one image, or (none) of all.
    pub(crate) image: Option<ImageId>,
    /// Those that an image has no more, too; else only those of deleted images.
    pub(crate) of_live: bool,
}

/// The first `limit` locations whose data is still to be removed, after the row `after`.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn leftovers(
    tx: &Tx<'_>,
    cipher: &LocationCipher,
    wanted: &Wanted,
    after: i64,
    limit: u64,
) -> Result<Vec<Leftover>, DbError> {
    let mut query = Query::select();
    query.column((ImageLocations::Table, ImageLocations::Id));
    query.columns([ImageLocations::Value, ImageLocations::MetaData, ImageLocations::ImageId]);
    query.from(ImageLocations::Table);
    let on = Expr::col((Images::Table, Images::Id)).equals((ImageLocations::Table, ImageLocations::ImageId));
    query.inner_join(Images::Table, on);
    query.and_where(Expr::col((ImageLocations::Table, ImageLocations::Status)).eq("pending_delete"));
    // An image in pending_delete waits for the scrubber of a delayed deletion.
    query.and_where(Expr::col((Images::Table, Images::Status)).ne(Status::PendingDelete.as_str()));
    query.and_where(Expr::col((ImageLocations::Table, ImageLocations::Id)).gt(after));
    if !wanted.of_live {
        query.and_where(Expr::col((Images::Table, Images::Deleted)).eq(true));
    }
    if let Some(id) = &wanted.image {
        query.and_where(Expr::col((ImageLocations::Table, ImageLocations::ImageId)).eq(id.as_str()));
    }
    query.order_by((ImageLocations::Table, ImageLocations::Id), sea_query::Order::Asc).limit(limit);
    tx.select(&query)?.iter().map(|row| leftover(cipher, row)).collect()
}

/// Of a row with its key, value, metadata and image.
pub(super) fn leftover(cipher: &LocationCipher, row: &Row) -> Result<Leftover, DbError> {
    Ok(Leftover { row: row.get(0)?, location: location(cipher, row.get(1)?, row.get(2)?), image: row.get(3)? })
}

/// Notes that the data of these locations is gone.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn removed(tx: &Tx<'_>, rows: &[i64], now: DateTime<Utc>) -> Result<(), DbError> {
    let mut statement = Query::update();
    statement.table(ImageLocations::Table).value(ImageLocations::Status, "deleted");
    statement.value(ImageLocations::UpdatedAt, time(now));
    statement.and_where(Expr::col(ImageLocations::Id).is_in(rows.iter().copied()));
    tx.execute(&statement).map(drop)
}

/// How many locations each of these images has.
pub(super) fn count(tx: &Tx<'_>, ids: &[String]) -> Result<HashMap<String, u64>, DbError> {
    let mut counts = HashMap::new();
    for part in ids.chunks(AT_ONCE) {
        let mut query = Query::select();
        query.column(ImageLocations::ImageId).expr(Expr::col(ImageLocations::Id).count());
        query.from(ImageLocations::Table).and_where(Expr::col(ImageLocations::ImageId).is_in(part.iter().cloned()));
        query.and_where(Expr::col(ImageLocations::Status).ne("deleted")).group_by_col(ImageLocations::ImageId);
        for row in tx.select(&query)? {
            counts.insert(row.get(0)?, row.get(1)?);
        }
    }
    Ok(counts)
}
