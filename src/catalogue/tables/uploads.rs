//! The table `larder_uploads`: what is being written, by whom, and where it will stand.
//!
//! A row is there from the moment an image becomes `saving` until its data is either attached or gone, so whatever
//! a killed process leaves behind can be found.

use crate::catalogue::tables::names::{LarderUploads, time};
use crate::db::{DbError, Tx};
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, Query};

/// An upload under way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Upload {
    /// The image.
    pub(crate) image: String,
    /// Where its object stands, or would have stood; none while it is still aside.
    pub(crate) url: Option<String>,
}

/// Notes that `process` begins to write.
///
/// # Errors
/// [`DbError::Duplicate`] when another upload of the image has not been cleaned up yet.
pub(crate) fn begin(tx: &Tx<'_>, image: &ImageId, process: &str, now: DateTime<Utc>) -> Result<(), DbError> {
    use LarderUploads::{ImageId, ProcessId, StartedAt, Table};
    let mut statement = Query::insert();
    statement.into_table(Table).columns([ImageId, ProcessId, StartedAt]);
    statement.values_panic([Expr::val(image.as_str()), Expr::val(process), Expr::val(time(now))]);
    tx.execute(&statement).map(drop)
}

/// Notes where the object is going to stand. False when the upload is no longer the process's own.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn announce(tx: &Tx<'_>, image: &ImageId, process: &str, url: &str) -> Result<bool, DbError> {
    let mut statement = Query::update();
    statement.table(LarderUploads::Table).value(LarderUploads::Url, url);
    statement.and_where(Expr::col(LarderUploads::ImageId).eq(image.as_str()));
    statement.and_where(Expr::col(LarderUploads::ProcessId).eq(process));
    Ok(tx.execute(&statement)? > 0)
}

/// Whether the image is being uploaded or staged, by whichever process.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn is_under_way(tx: &Tx<'_>, image: &ImageId) -> Result<bool, DbError> {
    let mut query = Query::select();
    query.column(LarderUploads::ImageId).from(LarderUploads::Table);
    query.and_where(Expr::col(LarderUploads::ImageId).eq(image.as_str()));
    Ok(tx.select_one(&query)?.is_some())
}

/// Whether the upload is the process's own.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn is_of(tx: &Tx<'_>, image: &ImageId, process: &str) -> Result<bool, DbError> {
    let mut query = Query::select();
    query.column(LarderUploads::ImageId).from(LarderUploads::Table);
    query.and_where(Expr::col(LarderUploads::ImageId).eq(image.as_str()));
    query.and_where(Expr::col(LarderUploads::ProcessId).eq(process));
    Ok(tx.select_one(&query)?.is_some())
}

/// Notes that an upload is over. False when it was no longer the process's own.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn end(tx: &Tx<'_>, image: &str, process: &str) -> Result<bool, DbError> {
    let mut statement = Query::delete();
    statement.from_table(LarderUploads::Table).and_where(Expr::col(LarderUploads::ImageId).eq(image));
    statement.and_where(Expr::col(LarderUploads::ProcessId).eq(process));
    Ok(tx.execute(&statement)? > 0)
}

/// The uploads of a process.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn of(tx: &Tx<'_>, process: &str) -> Result<Vec<Upload>, DbError> {
    let mut query = Query::select();
    query.columns([LarderUploads::ImageId, LarderUploads::Url]).from(LarderUploads::Table);
    query.and_where(Expr::col(LarderUploads::ProcessId).eq(process));
    tx.select(&query)?.iter().map(|row| Ok(Upload { image: row.get(0)?, url: row.get(1)? })).collect()
}

/// Hands the uploads of a dead process to a living one.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn hand_over(tx: &Tx<'_>, from: &str, to: &str) -> Result<u64, DbError> {
    let mut statement = Query::update();
    statement.table(LarderUploads::Table).value(LarderUploads::ProcessId, to);
    statement.and_where(Expr::col(LarderUploads::ProcessId).eq(from));
    tx.execute(&statement)
}
