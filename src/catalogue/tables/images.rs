//! The table `images`: one row, whole.

use crate::catalogue::tables::{
    LocationCipher, children,
    fleet::feed,
    locations, members,
    names::{Images, same, time},
    properties, tags, turns,
};
use crate::db::{DbError, Dialect, Row, Tx};
use crate::identity::Caller;
use crate::image::{Image, ImageId, Status};
use crate::wire::fleet::Event;
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, Func, Query, SelectStatement, UpdateStatement, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The columns that [`read`] takes, in its order.
const COLUMNS: [Images; 19] = [
    Images::Id,
    Images::Name,
    Images::Status,
    Images::Visibility,
    Images::Owner,
    Images::Protected,
    Images::OsHidden,
    Images::MinDisk,
    Images::MinRam,
    Images::DiskFormat,
    Images::ContainerFormat,
    Images::Size,
    Images::VirtualSize,
    Images::Checksum,
    Images::OsHashAlgo,
    Images::OsHashValue,
    Images::CreatedAt,
    Images::UpdatedAt,
    Images::Deleted,
];

/// Writes a new image with its properties and tags.
///
/// # Errors
/// [`DbError::Duplicate`] when the id is in use, or was.
pub(crate) fn insert(tx: &Tx<'_>, image: &Image) -> Result<(), DbError> {
    let mut statement = Query::insert();
    statement.into_table(Images::Table);
    let pairs = columns_of(image)
        .into_iter()
        .chain([
            (Images::Id, image.id.as_str().into()),
            (Images::Status, image.status.as_str().into()),
            (Images::CreatedAt, time(image.created_at)),
            (Images::UpdatedAt, time(image.updated_at)),
            (Images::Deleted, false.into()),
        ])
        .collect::<Vec<(Images, Value)>>();
    statement.columns(pairs.iter().map(|it| it.0)).values_panic(pairs.into_iter().map(|it| Expr::val(it.1)));
    tx.execute(&statement)?;
    properties::save_first(tx, &image.id, &image.properties, image.created_at)?;
    tags::save(tx, &image.id, &BTreeSet::new(), &image.tags, image.created_at)?;
    feed::image(tx, Event::ImageCreated, image.id.as_str())
}

/// An image that is not deleted, with all that hangs on it. In a transaction that writes, others that want to change it
/// wait for the end of this one (on other nodes of a cluster, run again).
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn find(tx: &Tx<'_>, cipher: &LocationCipher, id: &ImageId) -> Result<Option<Image>, DbError> {
    turns::take(tx, id.as_str())?;
    let mut query = select();
    query.and_where(Expr::col(Images::Id).eq(id.as_str())).and_where(Expr::col(Images::Deleted).eq(false));
    let Some(row) = tx.select_to_change(&mut query)? else { return Ok(None) };
    let mut images = vec![read(&row)?];
    children::fill(tx, cipher, &mut images)?;
    Ok(images.pop())
}

/// Writes what differs between two states of an image. The time of the change is `after.updated_at`. False when the
/// image is gone or has another status by now: then nothing was written. When it was changed since it was read (by
/// another node of a cluster), the transaction runs again.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn update(tx: &Tx<'_>, cipher: &LocationCipher, before: &Image, after: &Image) -> Result<bool, DbError> {
    let mut statement = Query::update();
    statement.table(Images::Table).value(Images::UpdatedAt, time(after.updated_at));
    for ((column, old), (_, new)) in columns_of(before).into_iter().zip(columns_of(after)) {
        if old != new {
            statement.value(column, new);
        }
    }
    if before.status != after.status {
        statement.value(Images::Status, after.status.as_str());
    }
    live(&mut statement, &before.id, &[before.status]);
    // SQLite has one writer at a time.
    if tx.dialect() != Dialect::Sqlite {
        as_it_was(&mut statement, before);
    }
    if tx.execute(&statement)? == 0 {
        return if tx.dialect() == Dialect::Sqlite { Ok(false) } else { Err(tx.conflict()) };
    }
    locations::save(tx, cipher, &before.id, (&before.locations, &after.locations), after.updated_at)?;
    properties::save(tx, &before.id, &before.properties, &after.properties, after.updated_at)?;
    tags::save(tx, &before.id, &before.tags, &after.tags, after.updated_at)?;
    feed::image(tx, Event::ImageUpdated, before.id.as_str())?;
    Ok(true)
}

/// What an image gets to know of its data.
#[derive(Clone, Debug, Default)]
pub(crate) struct Data {
    /// Bytes.
    pub(crate) size: Option<u64>,
    /// Bytes that a guest sees.
    pub(crate) virtual_size: Option<u64>,
    /// md5, hex.
    pub(crate) checksum: Option<String>,
    /// The algorithm of the next one.
    pub(crate) os_hash_algo: Option<String>,
    /// Hex.
    pub(crate) os_hash_value: Option<String>,
}

/// Changes the status if it is one of `from`, and what is known of the data if `data` is given. False when the image
/// is gone or has another status: then nothing was written.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn change_status(
    tx: &Tx<'_>,
    id: &ImageId,
    (from, to): (&[Status], Status),
    data: Option<&Data>,
    now: DateTime<Utc>,
) -> Result<bool, DbError> {
    let mut statement = Query::update();
    statement.table(Images::Table).value(Images::Status, to.as_str()).value(Images::UpdatedAt, time(now));
    if let Some(data) = data {
        statement.value(Images::Size, data.size).value(Images::VirtualSize, data.virtual_size);
        statement.value(Images::Checksum, data.checksum.as_deref());
        statement.value(Images::OsHashAlgo, data.os_hash_algo.as_deref());
        statement.value(Images::OsHashValue, data.os_hash_value.as_deref());
    }
    let changed = tx.execute(live(&mut statement, id, from))? > 0;
    // Data that comes in or does not come is nobody's matter until it is there.
    let event = match to {
        Status::Active if from == [Status::Deactivated] => Some(Event::ImageReactivated),
        Status::Active => Some(Event::ImageUpdated),
        Status::Deactivated => Some(Event::ImageDeactivated),
        _ => None,
    };
    if let Some(event) = event.filter(|_| changed) {
        feed::image(tx, event, id.as_str())?;
    }
    Ok(changed)
}

/// Deletes the row softly if the status is `from`, with all that hangs on it; `to` is `deleted`, or `pending_delete` for
/// one whose data the scrubber removes. The rows of its locations say `pending_delete` until the data is removed. False
/// when the image is gone or has another status.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn delete(
    tx: &Tx<'_>,
    id: &ImageId,
    (from, to): (Status, Status),
    now: DateTime<Utc>,
) -> Result<bool, DbError> {
    let mut statement = Query::update();
    statement.table(Images::Table).value(Images::Status, to.as_str());
    statement.value(Images::UpdatedAt, time(now)).value(Images::DeletedAt, time(now)).value(Images::Deleted, true);
    if tx.execute(live(&mut statement, id, &[from]))? == 0 {
        return Ok(false);
    }
    children::delete_all(tx, id, now)?;
    feed::image(tx, Event::ImageDeleted, id.as_str())?;
    Ok(true)
}

/// Bytes that a project's images take, without those of `but` (Glance's rule: size × locations).
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn stored_bytes(tx: &Tx<'_>, owner: Option<&str>, but: Option<&ImageId>) -> Result<u64, DbError> {
    let mut query = Query::select();
    query.columns([Images::Id, Images::Size]).from(Images::Table);
    match owner {
        Some(owner) => query.and_where(same(tx.dialect(), Images::Owner, owner)),
        None => query.and_where(Expr::col(Images::Owner).is_null()),
    };
    query.and_where(Expr::col(Images::Size).gt(0));
    if let Some(but) = but {
        query.and_where(Expr::col(Images::Id).ne(but.as_str()));
    }
    query.and_where(Expr::col(Images::Status).is_not_in(["killed", "deleted", "pending_delete"]));
    let rows = tx.select(&query)?;
    let sizes =
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<Vec<(String, u64)>, DbError>>()?;
    let ids = sizes.iter().map(|it| it.0.clone()).collect::<Vec<_>>();
    let counts = locations::count(tx, &ids)?;
    let bytes = |(id, size): &(String, u64)| size.saturating_mul(counts.get(id).copied().unwrap_or(0));
    Ok(sizes.iter().map(bytes).fold(0, u64::saturating_add))
}

/// What a project has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    /// Bytes of data, size × locations.
    pub(crate) bytes: u64,
    /// Bytes of images that are staged, imported or copied.
    pub(crate) staged: u64,
    /// Images.
    pub(crate) count: u64,
    /// Images that are being uploaded, imported or copied.
    pub(crate) uploading: u64,
}

/// What a project has, by the rules of Glance's limits.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn used(tx: &Tx<'_>, owner: &str) -> Result<Used, DbError> {
    let mut query = Query::select();
    query.column(Images::Status).expr(Expr::col(Images::Id).count()).expr(Expr::col(Images::Size).sum());
    query.from(Images::Table).and_where(same(tx.dialect(), Images::Owner, owner));
    query.and_where(Expr::col(Images::Status).is_not_in(["killed", "deleted", "pending_delete"]));
    query.group_by_col(Images::Status);
    let mut used = Used { bytes: stored_bytes(tx, Some(owner), None)?, ..Used::default() };
    for row in tx.select(&query)? {
        let (status, count): (String, u64) = (row.get(0)?, row.get(1)?);
        used.count += count;
        if matches!(status.as_str(), "saving" | "uploading" | "importing") {
            used.uploading += count;
        }
        if matches!(status.as_str(), "uploading" | "importing") {
            used.staged += row.get::<Option<i64>>(2)?.and_then(|it| u64::try_from(it).ok()).unwrap_or(0);
        }
    }
    Ok(used)
}

/// Whether the caller may know of the image (Glance's rule; what nobody owns is everybody's to see).
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn is_visible(tx: &Tx<'_>, caller: &Caller, image: &Image) -> Result<bool, DbError> {
    use crate::image::Visibility::{Community, Private, Public, Shared};
    if caller.is_admin || image.owner.is_none() || caller.owns(image.owner.as_deref()) {
        return Ok(true);
    }
    match (image.visibility, &caller.project) {
        (Public | Community, _) => Ok(true),
        (Shared, Some(project)) => members::is_member(tx, &image.id, project),
        (Shared, None) | (Private, _) => Ok(false),
    }
}

/// `SELECT` of the columns that [`read`] takes.
pub(super) fn select() -> SelectStatement {
    let mut query = Query::select();
    query.columns(COLUMNS.map(|it| (Images::Table, it))).from(Images::Table);
    query
}

/// The image of a row, as yet without properties, tags and locations.
pub(super) fn read(row: &Row) -> Result<Image, DbError> {
    let word = |column: usize, expected| {
        let bad = move |found| DbError::Column { column, found, expected };
        row.get::<String>(column).map(|it| (it, bad))
    };
    let (id, bad_id) = word(0, "an image id")?;
    let (status, bad_status) = word(2, "a status")?;
    let (visibility, bad_visibility) = word(3, "a visibility")?;
    let bytes = |column| Ok::<_, DbError>(row.get::<Option<i64>>(column)?.and_then(|it| u64::try_from(it).ok()));
    let created_at = row.get(16)?;
    Ok(Image {
        id: id.parse().map_err(|_| bad_id(id))?,
        name: row.get(1)?,
        status: status.parse().map_err(|_| bad_status(status))?,
        visibility: visibility.parse().map_err(|_| bad_visibility(visibility))?,
        owner: row.get(4)?,
        protected: row.get(5)?,
        hidden: row.get(6)?,
        min_disk: row.get(7)?,
        min_ram: row.get(8)?,
        disk_format: row.get(9)?,
        container_format: row.get(10)?,
        size: bytes(11)?,
        virtual_size: bytes(12)?,
        checksum: row.get(13)?,
        os_hash_algo: row.get(14)?,
        os_hash_value: row.get(15)?,
        created_at,
        updated_at: row.get::<Option<_>>(17)?.unwrap_or(created_at),
        tags: BTreeSet::new(),
        properties: BTreeMap::new(),
        locations: Vec::new(),
    })
}

/// The columns that clients change, always in the same order.
fn columns_of(image: &Image) -> [(Images, Value); 14] {
    [
        (Images::Name, image.name.as_deref().into()),
        (Images::Visibility, image.visibility.as_str().into()),
        (Images::Owner, image.owner.as_deref().into()),
        (Images::Protected, image.protected.into()),
        (Images::OsHidden, image.hidden.into()),
        (Images::MinDisk, image.min_disk.into()),
        (Images::MinRam, image.min_ram.into()),
        (Images::DiskFormat, image.disk_format.as_deref().into()),
        (Images::ContainerFormat, image.container_format.as_deref().into()),
        (Images::Size, image.size.into()),
        (Images::VirtualSize, image.virtual_size.into()),
        (Images::Checksum, image.checksum.as_deref().into()),
        (Images::OsHashAlgo, image.os_hash_algo.as_deref().into()),
        (Images::OsHashValue, image.os_hash_value.as_deref().into()),
    ]
}

/// Demands that the row still is what it was when it was read.
fn as_it_was(statement: &mut UpdateStatement, before: &Image) {
    let changed = Func::coalesce([Expr::col(Images::UpdatedAt), Expr::col(Images::CreatedAt)]);
    statement.and_where(Expr::from(changed).eq(Expr::val(time(before.updated_at))));
    for (column, old) in columns_of(before) {
        let nothing = old == old.as_null();
        statement.and_where(if nothing { Expr::col(column).is_null() } else { Expr::col(column).eq(Expr::val(old)) });
    }
}

fn live<'a>(statement: &'a mut UpdateStatement, id: &ImageId, from: &[Status]) -> &'a UpdateStatement {
    statement.and_where(Expr::col(Images::Id).eq(id.as_str())).and_where(Expr::col(Images::Deleted).eq(false));
    statement.and_where(Expr::col(Images::Status).is_in(from.iter().map(|it| it.as_str())))
}
