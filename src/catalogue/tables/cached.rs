//! The tables `node_reference` and `cached_images`: which node of the API has which image in its cache.
//!
//! Glance leaves `checksum` empty; here it is the md5 of a file that was verified, so an empty one says: not yet.

use crate::catalogue::tables::{
    children::AT_ONCE,
    names::{CachedImages, Images, NodeReference, time},
};
use crate::db::{DbError, Row, Tx};
use crate::image::{ImageId, Status};
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};
use std::collections::HashMap;

/// An image in the cache of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Cached {
    /// The key of its row; 0 for a row that is to be written.
    pub row: i64,
    /// The image.
    pub image: ImageId,
    /// When it was last read, or put there.
    pub last_accessed: DateTime<Utc>,
    /// When it was put there.
    pub last_modified: DateTime<Utc>,
    /// Bytes.
    pub size: u64,
    /// How often it was read.
    pub hits: u64,
    /// The md5 of the file, in hex, once that was verified.
    pub checksum: Option<String>,
}

/// What is known of an image whose file is in a cache.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Known {
    /// Bytes.
    pub(crate) size: Option<u64>,
    /// Its md5, in hex.
    pub(crate) checksum: Option<String>,
}

const COLUMNS: [CachedImages; 7] = [
    CachedImages::Id,
    CachedImages::ImageId,
    CachedImages::LastAccessed,
    CachedImages::LastModified,
    CachedImages::Size,
    CachedImages::Hits,
    CachedImages::Checksum,
];

/// The key of a node; entered if need be.
///
/// # Errors
/// [`DbError`] of the statements; [`DbError::Duplicate`] when another process enters it at the same moment.
pub(crate) fn node(tx: &Tx<'_>, url: &str) -> Result<i64, DbError> {
    let mut query = Query::select();
    query.column(NodeReference::Id).from(NodeReference::Table);
    query.and_where(Expr::col(NodeReference::Url).eq(url));
    if let Some(row) = tx.select_one(&query)? {
        return row.get(0);
    }
    let mut statement = Query::insert();
    statement.into_table(NodeReference::Table).columns([NodeReference::Url]);
    statement.values_panic([Expr::val(url)]);
    tx.execute(&statement)?;
    tx.select_one(&query)?.ok_or(DbError::BrokeOff)?.get(0)
}

/// All that the node has, in the order of the image ids.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn list(tx: &Tx<'_>, node: i64) -> Result<Vec<Cached>, DbError> {
    let mut query = select(node);
    query.order_by(CachedImages::ImageId, Order::Asc);
    // A row whose image id is none was never written by an image service.
    tx.select(&query)?.iter().filter_map(|row| read(row).transpose()).collect()
}

/// One image of the node.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn find(tx: &Tx<'_>, node: i64, image: &ImageId) -> Result<Option<Cached>, DbError> {
    let mut query = select(node);
    query.and_where(Expr::col(CachedImages::ImageId).eq(image.as_str()));
    tx.select_one(&query)?.as_ref().map_or(Ok(None), read)
}

/// The nodes that have an image, verified or not, by their URLs.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn nodes_of(tx: &Tx<'_>, image: &ImageId) -> Result<Vec<String>, DbError> {
    let mut query = Query::select();
    query.column(NodeReference::Url).from(NodeReference::Table);
    let on = Expr::col((CachedImages::Table, CachedImages::NodeReferenceId))
        .equals((NodeReference::Table, NodeReference::Id));
    query.inner_join(CachedImages::Table, on);
    query.and_where(Expr::col(CachedImages::ImageId).eq(image.as_str()));
    query.order_by(CachedImages::Id, Order::Asc);
    tx.select(&query)?.iter().map(|row| row.get(0)).collect()
}

/// Enters an image, in place of what the node had of it.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn put(tx: &Tx<'_>, node: i64, cached: &Cached) -> Result<(), DbError> {
    remove(tx, node, &cached.image)?;
    let mut statement = Query::insert();
    statement.into_table(CachedImages::Table).columns([
        CachedImages::ImageId,
        CachedImages::LastAccessed,
        CachedImages::LastModified,
        CachedImages::Size,
        CachedImages::Hits,
        CachedImages::Checksum,
        CachedImages::NodeReferenceId,
    ]);
    statement.values_panic([
        Expr::val(cached.image.as_str()),
        Expr::val(time(cached.last_accessed)),
        Expr::val(time(cached.last_modified)),
        Expr::val(cached.size),
        Expr::val(i32::try_from(cached.hits).unwrap_or(i32::MAX)),
        Expr::val(cached.checksum.clone()),
        Expr::val(node),
    ]);
    tx.execute(&statement).map(drop)
}

/// Notes that a file was verified.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn verified(tx: &Tx<'_>, node: i64, image: &ImageId, checksum: &str) -> Result<(), DbError> {
    let mut statement = Query::update();
    statement.table(CachedImages::Table).value(CachedImages::Checksum, checksum);
    statement.and_where(Expr::col(CachedImages::NodeReferenceId).eq(node));
    statement.and_where(Expr::col(CachedImages::ImageId).eq(image.as_str()));
    tx.execute(&statement).map(drop)
}

/// Counts a read.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn hit(tx: &Tx<'_>, node: i64, image: &ImageId, now: DateTime<Utc>) -> Result<(), DbError> {
    let mut statement = Query::update();
    statement.table(CachedImages::Table).value(CachedImages::LastAccessed, time(now));
    statement.value(CachedImages::Hits, Expr::col(CachedImages::Hits).add(1));
    statement.and_where(Expr::col(CachedImages::NodeReferenceId).eq(node));
    statement.and_where(Expr::col(CachedImages::ImageId).eq(image.as_str()));
    tx.execute(&statement).map(drop)
}

/// Strikes an image off.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn remove(tx: &Tx<'_>, node: i64, image: &ImageId) -> Result<(), DbError> {
    let mut statement = Query::delete();
    statement.from_table(CachedImages::Table).and_where(Expr::col(CachedImages::NodeReferenceId).eq(node));
    statement.and_where(Expr::col(CachedImages::ImageId).eq(image.as_str()));
    tx.execute(&statement).map(drop)
}

/// Those of `images` that have data to be served, now or (deactivated) again.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn known(tx: &Tx<'_>, images: &[ImageId]) -> Result<HashMap<ImageId, Known>, DbError> {
    let mut known = HashMap::new();
    for part in images.chunks(AT_ONCE) {
        let mut query = Query::select();
        query.columns([Images::Id, Images::Size, Images::Checksum]).from(Images::Table);
        query.and_where(Expr::col(Images::Id).is_in(part.iter().map(|it| it.as_str().to_owned())));
        query.and_where(Expr::col(Images::Deleted).eq(false));
        let with_data = [Status::Active, Status::Deactivated].map(|it| it.as_str());
        query.and_where(Expr::col(Images::Status).is_in(with_data));
        for row in tx.select(&query)? {
            if let Ok(id) = row.get::<String>(0)?.parse() {
                known.insert(id, Known { size: row.get(1)?, checksum: row.get(2)? });
            }
        }
    }
    Ok(known)
}

fn select(node: i64) -> SelectStatement {
    let mut query = Query::select();
    query.columns(COLUMNS).from(CachedImages::Table);
    query.and_where(Expr::col(CachedImages::NodeReferenceId).eq(node));
    query
}

fn read(row: &Row) -> Result<Option<Cached>, DbError> {
    let Ok(image) = row.get::<String>(1)?.parse() else { return Ok(None) };
    Ok(Some(Cached {
        row: row.get(0)?,
        image,
        last_accessed: row.get(2)?,
        last_modified: row.get(3)?,
        size: row.get(4)?,
        hits: row.get(5)?,
        checksum: row.get(6)?,
    }))
}
