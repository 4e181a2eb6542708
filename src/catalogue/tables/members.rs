//! The table `image_members`.

use crate::catalogue::tables::{
    fleet::feed,
    names::{ImageMembers, alive, same, time},
};
use crate::db::{DbError, Row, Tx};
use crate::image::{Answer, ImageId, Member};
use crate::wire::fleet::Event;
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, Order, Query, SelectStatement, UpdateStatement};
use std::collections::HashSet;

/// Whether the image was shared to this project, whatever it answered.
pub(super) fn is_member(tx: &Tx<'_>, id: &ImageId, project: &str) -> Result<bool, DbError> {
    Ok(find(tx, id, project)?.is_some())
}

/// One member.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn find(tx: &Tx<'_>, id: &ImageId, project: &str) -> Result<Option<Member>, DbError> {
    let mut query = select(id);
    query.and_where(same(tx.dialect(), ImageMembers::Member, project));
    tx.select_one(&query)?.map(|row| read(&row, id)).transpose()
}

/// All members of an image, as they were added.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn of(tx: &Tx<'_>, id: &ImageId) -> Result<Vec<Member>, DbError> {
    let mut query = select(id);
    query.order_by(ImageMembers::Id, Order::Asc);
    let mut all: Vec<Member> = tx.select(&query)?.iter().map(|row| read(row, id)).collect::<Result<_, _>>()?;
    // Two nodes of a cluster can add the same one at the same time: the table's key does not see to it.
    let mut seen = HashSet::new();
    all.retain(|it| seen.insert(it.project.clone()));
    Ok(all)
}

/// Adds a member that is none yet. The row of an earlier membership is used again (Glance's behaviour).
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn add(tx: &Tx<'_>, member: &Member) -> Result<(), DbError> {
    use ImageMembers::{CanShare, CreatedAt, Deleted, DeletedAt, Id, ImageId, Status, Table, UpdatedAt};
    // As the database compares: two rows that are one for it could not both be deleted in the same second.
    let mut query = Query::select();
    query.columns([Id, Deleted]).from(Table).and_where(Expr::col(ImageId).eq(member.image.as_str()));
    query.and_where(Expr::col(ImageMembers::Member).eq(member.project.as_str()));
    query.order_by(Deleted, Order::Asc).order_by(Id, Order::Desc).limit(1);
    if let Some(row) = tx.select_one(&query)? {
        if !row.get::<bool>(1)? {
            return Err(DbError::Duplicate);
        }
        let mut statement = Query::update();
        statement.table(Table).value(Status, member.status.as_str()).value(Deleted, false);
        statement.value(ImageMembers::Member, member.project.as_str());
        statement.value(DeletedAt, None::<String>).value(CreatedAt, time(member.created_at));
        statement.value(UpdatedAt, time(member.updated_at)).and_where(Expr::col(Id).eq(row.get::<i64>(0)?));
        tx.execute(&statement)?;
        return feed::image(tx, Event::ImageMembers, member.image.as_str());
    }
    let mut statement = Query::insert();
    statement.into_table(Table);
    statement.columns([ImageId, ImageMembers::Member, CanShare, Status, CreatedAt, UpdatedAt, Deleted]);
    statement.values_panic([
        Expr::val(member.image.as_str()),
        Expr::val(member.project.as_str()),
        false.into(),
        Expr::val(member.status.as_str()),
        Expr::val(time(member.created_at)),
        Expr::val(time(member.updated_at)),
        false.into(),
    ]);
    tx.execute(&statement)?;
    feed::image(tx, Event::ImageMembers, member.image.as_str())
}

/// Writes what a member answers. False when it is none any more.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn answer(tx: &Tx<'_>, member: &Member) -> Result<bool, DbError> {
    let mut statement = Query::update();
    statement.table(ImageMembers::Table).value(ImageMembers::Status, member.status.as_str());
    statement.value(ImageMembers::UpdatedAt, time(member.updated_at));
    let found = tx.execute(live(tx, &mut statement, &member.image, &member.project))? > 0;
    if found {
        feed::image(tx, Event::ImageMembers, member.image.as_str())?;
    }
    Ok(found)
}

/// Takes out, for good, what is there twice for the database: the table's key lets rows be alike as long as they live, and
/// refuses that both are deleted in the same second.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn single(tx: &Tx<'_>, id: &ImageId) -> Result<(), DbError> {
    let mut query = Query::select();
    query.expr(Expr::col(ImageMembers::Id).min()).expr(Expr::col(ImageMembers::Id).count()).from(ImageMembers::Table);
    query.and_where(Expr::col(ImageMembers::ImageId).eq(id.as_str())).and_where(alive(ImageMembers::Deleted));
    query.group_by_col(ImageMembers::Member);
    for row in tx.select(&query)? {
        if row.get::<i64>(1)? < 2 {
            continue;
        }
        let mut of_row = Query::select();
        of_row.column(ImageMembers::Member).from(ImageMembers::Table);
        of_row.and_where(Expr::col(ImageMembers::Id).eq(row.get::<i64>(0)?));
        let Some(first) = tx.select_one(&of_row)? else { continue };
        let mut statement = Query::delete();
        statement.from_table(ImageMembers::Table).and_where(Expr::col(ImageMembers::ImageId).eq(id.as_str()));
        statement.and_where(alive(ImageMembers::Deleted));
        statement.and_where(Expr::col(ImageMembers::Member).eq(first.get::<String>(0)?));
        statement.and_where(Expr::col(ImageMembers::Id).ne(row.get::<i64>(0)?));
        tx.execute(&statement)?;
    }
    Ok(())
}

/// Deletes, softly, a member. False when it is none.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn remove(tx: &Tx<'_>, id: &ImageId, project: &str, now: DateTime<Utc>) -> Result<bool, DbError> {
    single(tx, id)?;
    let mut statement = Query::update();
    statement.table(ImageMembers::Table).value(ImageMembers::Deleted, true);
    statement.value(ImageMembers::DeletedAt, time(now)).value(ImageMembers::UpdatedAt, time(now));
    let found = tx.execute(live(tx, &mut statement, id, project))? > 0;
    if found {
        feed::image(tx, Event::ImageMembers, id.as_str())?;
    }
    Ok(found)
}

fn select(id: &ImageId) -> SelectStatement {
    use ImageMembers::{CreatedAt, Deleted, ImageId, Member, Status, Table, UpdatedAt};
    let mut query = Query::select();
    query.columns([Member, Status, CreatedAt, UpdatedAt]).from(Table);
    query.and_where(Expr::col(ImageId).eq(id.as_str())).and_where(alive(Deleted));
    query
}

fn live<'a>(tx: &Tx<'_>, statement: &'a mut UpdateStatement, id: &ImageId, project: &str) -> &'a UpdateStatement {
    statement.and_where(Expr::col(ImageMembers::ImageId).eq(id.as_str()));
    statement.and_where(same(tx.dialect(), ImageMembers::Member, project));
    statement.and_where(Expr::col(ImageMembers::Deleted).eq(false))
}

fn read(row: &Row, id: &ImageId) -> Result<Member, DbError> {
    let status: String = row.get(1)?;
    let status: Answer =
        status.parse().map_err(|_| DbError::Column { column: 1, found: status, expected: "a member's status" })?;
    let created_at = row.get(2)?;
    let updated_at = row.get::<Option<_>>(3)?.unwrap_or(created_at);
    Ok(Member { image: id.clone(), project: row.get(0)?, status, created_at, updated_at })
}
