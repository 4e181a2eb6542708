//! The tables `tasks` and `task_info`.

use crate::catalogue::tables::names::{TaskInfo, Tasks, alive, time};
use crate::db::{DbError, Row, Tx};
use crate::image::{
    ImageId,
    task::{Task, TaskKey, TaskQuery},
};
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, Func, Order, Query, SelectStatement, Value};

/// Most tasks of one image that are shown, the latest ones.
const MOST_OF_IMAGE: u64 = 1000;

/// Writes a new task.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn insert(tx: &Tx<'_>, task: &Task) -> Result<(), DbError> {
    let mut statement = Query::insert();
    statement.into_table(Tasks::Table);
    let pairs: [(Tasks, Value); 11] = [
        (Tasks::Id, task.id.as_str().into()),
        (Tasks::Type, task.kind.as_str().into()),
        (Tasks::Status, task.status.as_str().into()),
        (Tasks::Owner, task.owner.as_str().into()),
        (Tasks::ExpiresAt, task.expires_at.map(|it| it.naive_utc()).into()),
        (Tasks::CreatedAt, time(task.created_at)),
        (Tasks::UpdatedAt, time(task.updated_at)),
        (Tasks::Deleted, false.into()),
        (Tasks::ImageId, task.image.as_deref().into()),
        (Tasks::RequestId, task.request.as_deref().into()),
        (Tasks::UserId, task.user.as_deref().into()),
    ];
    statement.columns(pairs.iter().map(|it| it.0)).values_panic(pairs.into_iter().map(|it| Expr::val(it.1)));
    tx.execute(&statement)?;
    let mut statement = Query::insert();
    statement.into_table(TaskInfo::Table);
    statement.columns([TaskInfo::TaskId, TaskInfo::Input, TaskInfo::Result, TaskInfo::Message]).values_panic([
        Expr::val(task.id.as_str()),
        Expr::val(task.input.as_deref()),
        Expr::val(task.result.as_deref()),
        Expr::val(task.message.as_deref()),
    ]);
    tx.execute(&statement).map(drop)
}

/// Writes how far a task is: its status, when it was changed and expires, what came out, and its message. Nothing when it
/// is not there.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn update(tx: &Tx<'_>, task: &Task) -> Result<(), DbError> {
    let mut statement = Query::update();
    statement.table(Tasks::Table).value(Tasks::Status, task.status.as_str());
    statement.value(Tasks::UpdatedAt, time(task.updated_at));
    statement.value(Tasks::ExpiresAt, task.expires_at.map(|it| it.naive_utc()));
    tx.execute(statement.and_where(Expr::col(Tasks::Id).eq(task.id.as_str())))?;
    let mut statement = Query::update();
    statement.table(TaskInfo::Table).value(TaskInfo::Result, task.result.as_deref());
    statement.value(TaskInfo::Message, task.message.as_deref());
    tx.execute(statement.and_where(Expr::col(TaskInfo::TaskId).eq(task.id.as_str()))).map(drop)
}

/// A task, whole; of `owner` alone, or (none) of anybody.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn find(tx: &Tx<'_>, id: &str, owner: Option<&str>) -> Result<Option<Task>, DbError> {
    let mut query = whole();
    query.and_where(col(Tasks::Id).eq(id));
    if let Some(owner) = owner {
        query.and_where(col(Tasks::Owner).eq(owner));
    }
    tx.select_one(&query)?.map(|row| read(&row, true)).transpose()
}

/// The tasks of an image, whole, in the order in which they began; of `owner` alone, or (none) of everybody.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn of_image(
    tx: &Tx<'_>,
    owner: Option<&str>,
    id: &ImageId,
    now: DateTime<Utc>,
) -> Result<Vec<Task>, DbError> {
    let mut query = whole();
    if let Some(owner) = owner {
        query.and_where(col(Tasks::Owner).eq(owner));
    }
    query.and_where(col(Tasks::ImageId).eq(id.as_str()));
    query.and_where(col(Tasks::ExpiresAt).is_null().or(col(Tasks::ExpiresAt).gte(Expr::val(time(now)))));
    query.order_by((Tasks::Table, Tasks::CreatedAt), Order::Desc).order_by((Tasks::Table, Tasks::Id), Order::Desc);
    query.limit(MOST_OF_IMAGE);
    let mut tasks = tx.select(&query)?.iter().map(|row| read(row, true)).collect::<Result<Vec<_>, _>>()?;
    tasks.reverse();
    Ok(tasks)
}

/// A page of tasks without their documents; of `owner` alone, or (none) of everybody.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn page(
    tx: &Tx<'_>,
    owner: Option<&str>,
    query: &TaskQuery,
    marker: Option<&Task>,
) -> Result<Vec<Task>, DbError> {
    let mut select = select();
    if let Some(owner) = owner {
        select.and_where(col(Tasks::Owner).eq(owner));
    }
    for (key, value) in &query.filters {
        select.and_where(column(*key).eq(value.as_str()));
    }
    let (key, order) = (column(query.sort), if query.descending { Order::Desc } else { Order::Asc });
    if let Some(marker) = marker {
        let beyond = |left: Expr, right: Expr| if query.descending { left.lt(right) } else { left.gt(right) };
        let (value, id) = (Expr::val(value(marker, query.sort)), Expr::val(marker.id.as_str()));
        let ties = key.clone().eq(value.clone()).and(beyond(col(Tasks::Id), id));
        select.and_where(beyond(key.clone(), value).or(ties));
    }
    select.order_by_expr(key, order.clone()).order_by((Tasks::Table, Tasks::Id), order);
    select.limit(query.limit as u64);
    tx.select(&select)?.iter().map(|row| read(row, false)).collect()
}

/// Deletes, softly, the tasks of a project that have expired.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn forget_expired(tx: &Tx<'_>, owner: &str, now: DateTime<Utc>) -> Result<u64, DbError> {
    let mut statement = Query::update();
    statement.table(Tasks::Table).value(Tasks::Deleted, true).value(Tasks::DeletedAt, time(now));
    statement.and_where(Expr::col(Tasks::Owner).eq(owner)).and_where(Expr::col(Tasks::Deleted).eq(false));
    statement.and_where(Expr::col(Tasks::ExpiresAt).lte(Expr::val(time(now))));
    tx.execute(&statement)
}

fn select() -> SelectStatement {
    use Tasks::{CreatedAt, ExpiresAt, Id, ImageId, Owner, RequestId, Status, Table, Type, UpdatedAt, UserId};
    let mut query = Query::select();
    let columns = [Id, Type, Status, Owner, ExpiresAt, CreatedAt, UpdatedAt, ImageId, RequestId, UserId];
    query.columns(columns.map(|it| (Table, it))).from(Table).and_where(alive((Table, Tasks::Deleted)));
    query
}

fn whole() -> SelectStatement {
    let mut query = select();
    query.columns([TaskInfo::Input, TaskInfo::Result, TaskInfo::Message].map(|it| (TaskInfo::Table, it)));
    let on = Expr::col((TaskInfo::Table, TaskInfo::TaskId)).equals((Tasks::Table, Tasks::Id));
    query.left_join(TaskInfo::Table, on);
    query
}

fn read(row: &Row, whole: bool) -> Result<Task, DbError> {
    let created_at = row.get(5)?;
    let document = |column| if whole { row.get(column) } else { Ok(None) };
    Ok(Task {
        id: row.get(0)?,
        kind: row.get(1)?,
        status: row.get(2)?,
        owner: row.get(3)?,
        expires_at: row.get(4)?,
        created_at,
        updated_at: row.get::<Option<_>>(6)?.unwrap_or(created_at),
        image: row.get(7)?,
        request: row.get(8)?,
        user: row.get(9)?,
        input: document(10)?,
        result: document(11)?,
        message: document(12)?,
    })
}

fn col(column: Tasks) -> Expr {
    Expr::col((Tasks::Table, column))
}

/// What is sorted and filtered by: nothing counts as the least.
fn column(key: TaskKey) -> Expr {
    let or = |column, default: Expr| Expr::from(Func::coalesce([col(column), default]));
    match key {
        TaskKey::Id => col(Tasks::Id),
        TaskKey::Kind => col(Tasks::Type),
        TaskKey::Status => col(Tasks::Status),
        TaskKey::Owner => col(Tasks::Owner),
        TaskKey::Image => or(Tasks::ImageId, Expr::val("")),
        TaskKey::Request => or(Tasks::RequestId, Expr::val("")),
        TaskKey::User => or(Tasks::UserId, Expr::val("")),
        TaskKey::CreatedAt => col(Tasks::CreatedAt),
        TaskKey::UpdatedAt => or(Tasks::UpdatedAt, col(Tasks::CreatedAt)),
        TaskKey::ExpiresAt => or(Tasks::ExpiresAt, Expr::val(time(DateTime::UNIX_EPOCH))),
    }
}

/// What [`column`] is for this task.
fn value(task: &Task, key: TaskKey) -> Value {
    let text = |it: &Option<String>| it.clone().unwrap_or_default().into();
    match key {
        TaskKey::Id => task.id.as_str().into(),
        TaskKey::Kind => task.kind.as_str().into(),
        TaskKey::Status => task.status.as_str().into(),
        TaskKey::Owner => task.owner.as_str().into(),
        TaskKey::Image => text(&task.image),
        TaskKey::Request => text(&task.request),
        TaskKey::User => text(&task.user),
        TaskKey::CreatedAt => time(task.created_at),
        TaskKey::UpdatedAt => time(task.updated_at),
        TaskKey::ExpiresAt => time(task.expires_at.unwrap_or(DateTime::UNIX_EPOCH)),
    }
}
