//! The table `larder_imports`: imports that wait or are worked on, each by one process.
//!
//! A row is there from the request until its image is settled, whatever becomes of the processes: whoever works on a row
//! has its id in it, and every transaction of that work asks whether it still stands there. Each claim counts the attempts
//! up, so that work which lost the row knows it even when its own process has claimed it again.

use crate::catalogue::tables::names::{Images, LarderImports, time};
use crate::db::{DbError, Row, Tx};
use crate::image::{ImageId, Status};
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, Order, Query, SelectStatement, UpdateStatement};

/// An import.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Import {
    /// The image.
    pub(crate) image: ImageId,
    /// The task that tells of it.
    pub(crate) task: String,
    /// The staging folder that has the data, or the process that has what only a process has; none when any will do.
    pub(crate) staging: Option<String>,
    /// How often work on it has begun.
    pub(crate) attempts: u64,
    /// What was asked for: JSON.
    pub(crate) order: String,
    /// Where its objects stand, or would have stood.
    pub(crate) urls: Vec<String>,
    /// When it was asked for.
    pub(crate) created_at: DateTime<Utc>,
}

/// Enters an import that nobody works on.
///
/// # Errors
/// [`DbError::Duplicate`] when another one of the image is under way.
pub(crate) fn insert(tx: &Tx<'_>, import: &Import) -> Result<(), DbError> {
    use LarderImports::{Attempts, CreatedAt, ImageId, OrderJson, StagingId, Table, TaskId};
    let mut statement = Query::insert();
    statement.into_table(Table).columns([ImageId, TaskId, StagingId, Attempts, OrderJson, CreatedAt]);
    let (image, task) = (Expr::val(import.image.as_str()), Expr::val(import.task.as_str()));
    let (staging, order) = (Expr::val(import.staging.as_deref()), Expr::val(import.order.as_str()));
    statement.values_panic([image, task, staging, Expr::val(0_i64), order, Expr::val(time(import.created_at))]);
    tx.execute(&statement).map(drop)
}

/// The import of an image.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn find(tx: &Tx<'_>, image: &ImageId) -> Result<Option<Import>, DbError> {
    let mut query = select();
    query.and_where(Expr::col(LarderImports::ImageId).eq(image.as_str()));
    tx.select_one(&query)?.map(|row| read(&row)).transpose()
}

/// Whether there is an import that nobody works on.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn any_waiting(tx: &Tx<'_>) -> Result<bool, DbError> {
    let mut query = Query::select();
    query.column(LarderImports::ImageId).from(LarderImports::Table);
    query.and_where(Expr::col(LarderImports::ProcessId).is_null()).limit(1);
    Ok(tx.select_one(&query)?.is_some())
}

/// Images that are `importing` without an import that stands here, and were not changed since `before`.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn left(tx: &Tx<'_>, before: DateTime<Utc>, limit: u64) -> Result<Vec<ImageId>, DbError> {
    let mut ours = Query::select();
    ours.column(LarderImports::ImageId).from(LarderImports::Table);
    let mut query = Query::select();
    query.column(Images::Id).from(Images::Table).and_where(Expr::col(Images::Status).eq(Status::Importing.as_str()));
    query.and_where(Expr::col(Images::Deleted).eq(false));
    query.and_where(Expr::col(Images::UpdatedAt).lt(Expr::val(time(before))));
    query.and_where(Expr::col(Images::Id).not_in_subquery(ours)).order_by(Images::Id, Order::Asc).limit(limit);
    tx.select(&query)?.iter().map(|row| image_id(row.get(0)?)).collect()
}

/// Takes the oldest import over that nobody works on, whose data is in the staging folder `folder` or not staged at all,
/// or which is the process's own, or was asked for before `stale`.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn claim(
    tx: &Tx<'_>,
    process: &str,
    (folder, stale): (Option<&str>, DateTime<Utc>),
) -> Result<Option<Import>, DbError> {
    let mut query = select();
    query.and_where(Expr::col(LarderImports::ProcessId).is_null());
    let mut within = Expr::col(LarderImports::StagingId).is_null().or(Expr::col(LarderImports::StagingId).eq(process));
    if let Some(folder) = folder {
        within = within.or(Expr::col(LarderImports::StagingId).eq(folder));
    }
    query.and_where(within.or(Expr::col(LarderImports::CreatedAt).lt(Expr::val(time(stale)))));
    query.order_by(LarderImports::CreatedAt, Order::Asc).order_by(LarderImports::ImageId, Order::Asc).limit(1);
    let Some(row) = tx.select_one(&query)? else { return Ok(None) };
    let found = read(&row)?;
    let attempts = found.attempts + 1;
    let mut statement = Query::update();
    statement.table(LarderImports::Table).value(LarderImports::ProcessId, process);
    statement.value(LarderImports::Attempts, attempts);
    statement.and_where(Expr::col(LarderImports::ImageId).eq(found.image.as_str()));
    statement.and_where(Expr::col(LarderImports::TaskId).eq(found.task.as_str()));
    statement.and_where(Expr::col(LarderImports::ProcessId).is_null());
    let taken = tx.execute(&statement)? > 0;
    Ok(taken.then_some(Import { attempts, ..found }))
}

/// Whether the process still has this import by the claim that it is from.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn is_of(tx: &Tx<'_>, import: &Import, process: &str) -> Result<bool, DbError> {
    let mut query = select();
    query.and_where(Expr::col(LarderImports::ImageId).eq(import.image.as_str()));
    query.and_where(Expr::col(LarderImports::TaskId).eq(import.task.as_str()));
    query.and_where(Expr::col(LarderImports::ProcessId).eq(process));
    query.and_where(Expr::col(LarderImports::Attempts).eq(import.attempts));
    Ok(tx.select_to_change(&mut query)?.is_some())
}

/// Notes where its objects are going to stand. False when the import is no longer the process's own.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn announce(tx: &Tx<'_>, import: &Import, process: &str, urls: &[String]) -> Result<bool, DbError> {
    let mut statement = mine(import, process);
    statement.value(LarderImports::Urls, serde_json::json!(urls).to_string());
    Ok(tx.execute(&statement)? > 0)
}

/// The import is over. False when it was no longer the process's own.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn end(tx: &Tx<'_>, import: &Import, process: &str) -> Result<bool, DbError> {
    let mut statement = Query::delete();
    statement.from_table(LarderImports::Table);
    statement.and_where(Expr::col(LarderImports::ImageId).eq(import.image.as_str()));
    statement.and_where(Expr::col(LarderImports::TaskId).eq(import.task.as_str()));
    statement.and_where(Expr::col(LarderImports::ProcessId).eq(process));
    statement.and_where(Expr::col(LarderImports::Attempts).eq(import.attempts));
    Ok(tx.execute(&statement)? > 0)
}

/// The images whose imports the process has.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn of(tx: &Tx<'_>, process: &str) -> Result<Vec<Import>, DbError> {
    let mut query = select();
    query.and_where(Expr::col(LarderImports::ProcessId).eq(process));
    tx.select(&query)?.iter().map(read).collect()
}

/// Gives an import back to whoever takes it, as one that began so often, with the folder that it says.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn release(tx: &Tx<'_>, import: &Import, process: &str, attempts: u64) -> Result<(), DbError> {
    let mut statement = mine(import, process);
    statement.value(LarderImports::ProcessId, None::<String>).value(LarderImports::Attempts, attempts);
    statement.value(LarderImports::StagingId, import.staging.as_deref());
    tx.execute(&statement).map(drop)
}

/// The same, of all that a dead process had.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn release_all(tx: &Tx<'_>, process: &str) -> Result<u64, DbError> {
    let mut statement = Query::update();
    statement.table(LarderImports::Table).value(LarderImports::StagingId, None::<String>);
    tx.execute(statement.and_where(Expr::col(LarderImports::StagingId).eq(process)))?;
    let mut statement = Query::update();
    statement.table(LarderImports::Table).value(LarderImports::ProcessId, None::<String>);
    tx.execute(statement.and_where(Expr::col(LarderImports::ProcessId).eq(process)))
}

fn image_id(text: String) -> Result<ImageId, DbError> {
    text.parse().map_err(|_| DbError::Column { column: 0, found: text, expected: "an image id" })
}

fn mine(import: &Import, process: &str) -> UpdateStatement {
    let mut statement = Query::update();
    statement.table(LarderImports::Table).and_where(Expr::col(LarderImports::ImageId).eq(import.image.as_str()));
    statement.and_where(Expr::col(LarderImports::TaskId).eq(import.task.as_str()));
    statement.and_where(Expr::col(LarderImports::ProcessId).eq(process));
    statement.and_where(Expr::col(LarderImports::Attempts).eq(import.attempts));
    statement
}

fn select() -> SelectStatement {
    use LarderImports::{Attempts, CreatedAt, ImageId, OrderJson, StagingId, Table, TaskId, Urls};
    let mut query = Query::select();
    query.columns([ImageId, TaskId, StagingId, Attempts, OrderJson, Urls, CreatedAt]).from(Table);
    query
}

fn read(row: &Row) -> Result<Import, DbError> {
    let urls: Option<String> = row.get(5)?;
    Ok(Import {
        image: image_id(row.get(0)?)?,
        task: row.get(1)?,
        staging: row.get(2)?,
        attempts: row.get(3)?,
        order: row.get(4)?,
        urls: urls.and_then(|it| serde_json::from_str(&it).ok()).unwrap_or_default(),
        created_at: row.get(6)?,
    })
}
