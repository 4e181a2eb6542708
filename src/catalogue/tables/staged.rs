//! The table `larder_staged`: which staging folder has the data of an image, whole.

use crate::catalogue::tables::names::{LarderStaged, time};
use crate::db::{DbError, Tx};
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, OnConflict, Query};

/// Notes that the data is there.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn put(tx: &Tx<'_>, image: &ImageId, folder: &str, now: DateTime<Utc>) -> Result<(), DbError> {
    use LarderStaged::{ImageId, StagedAt, StagingId, Table};
    let mut statement = Query::insert();
    statement.into_table(Table).columns([ImageId, StagingId, StagedAt]);
    statement.values_panic([Expr::val(image.as_str()), Expr::val(folder), Expr::val(time(now))]);
    statement.on_conflict(OnConflict::column(ImageId).update_columns([StagingId, StagedAt]).to_owned());
    tx.execute(&statement).map(drop)
}

/// The folder that has the data of this image.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn folder_of(tx: &Tx<'_>, image: &ImageId) -> Result<Option<String>, DbError> {
    let mut query = Query::select();
    query.column(LarderStaged::StagingId).from(LarderStaged::Table);
    query.and_where(Expr::col(LarderStaged::ImageId).eq(image.as_str()));
    tx.select_one(&query)?.map(|row| row.get(0)).transpose()
}

/// Forgets it.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn forget(tx: &Tx<'_>, image: &ImageId) -> Result<(), DbError> {
    let mut statement = Query::delete();
    statement.from_table(LarderStaged::Table).and_where(Expr::col(LarderStaged::ImageId).eq(image.as_str()));
    tx.execute(&statement).map(drop)
}
