//! The table `image_properties`.

use crate::catalogue::tables::{
    children::AT_ONCE,
    names::{ImageProperties, same, same_as_any, time},
};
use crate::db::{DbError, Tx};
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, Query, UpdateStatement};
use std::collections::BTreeMap;

/// Properties by name, as an image has them.
type Properties = BTreeMap<String, Option<String>>;

/// Writes what differs between two sets of properties. The row of a deleted property is used again, since a name may
/// stand only once on an image, deleted or not.
///
/// # Errors
/// [`DbError::Duplicate`] when the database takes two names for the same (MySQL: `a` and `A`); others of the statements.
pub(super) fn save(
    tx: &Tx<'_>,
    id: &ImageId,
    before: &Properties,
    after: &Properties,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let gone: Vec<&str> = before.keys().filter(|it| !after.contains_key(*it)).map(String::as_str).collect();
    for part in gone.chunks(AT_ONCE) {
        let mut statement = of(id);
        statement.value(ImageProperties::Deleted, true);
        statement.value(ImageProperties::DeletedAt, time(now)).value(ImageProperties::UpdatedAt, time(now));
        statement.and_where(same_as_any(tx.dialect(), ImageProperties::Name, part));
        tx.execute(&statement)?;
    }
    for (name, value) in after.iter().filter(|it| before.get(it.0).is_some_and(|old| old != it.1)) {
        let mut statement = of(id);
        write(&mut statement, value.as_deref(), now);
        tx.execute(statement.and_where(same(tx.dialect(), ImageProperties::Name, name)))?;
    }
    let new: Vec<(&str, Option<&str>)> =
        after.iter().filter(|it| !before.contains_key(it.0)).map(|it| (it.0.as_str(), it.1.as_deref())).collect();
    for part in new.chunks(AT_ONCE) {
        let unused = revive(tx, id, part, now)?;
        insert(tx, id, &unused, now)?;
    }
    Ok(())
}

/// Writes the properties of a new image.
///
/// # Errors
/// As [`save`].
pub(super) fn save_first(tx: &Tx<'_>, id: &ImageId, all: &Properties, now: DateTime<Utc>) -> Result<(), DbError> {
    let all: Vec<(&str, Option<&str>)> = all.iter().map(|it| (it.0.as_str(), it.1.as_deref())).collect();
    all.chunks(AT_ONCE).try_for_each(|part| insert(tx, id, part, now))
}

/// Uses the rows of deleted properties again; the properties that have none. On MySQL the row of `a` is that of `A`, too.
fn revive<'a>(
    tx: &Tx<'_>,
    id: &ImageId,
    new: &[(&'a str, Option<&'a str>)],
    now: DateTime<Utc>,
) -> Result<Vec<(&'a str, Option<&'a str>)>, DbError> {
    use ImageProperties::{Deleted, Id, ImageId, Name, Table};
    let mut query = Query::select();
    query.columns([Id, Name, Deleted]).from(Table).and_where(Expr::col(ImageId).eq(id.as_str()));
    query.and_where(Expr::col(Name).is_in(new.iter().map(|it| it.0)));
    let rows = tx.select(&query)?;
    let mut old: Vec<(i64, String, bool)> =
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect::<Result<_, DbError>>()?;
    let mut unused = Vec::new();
    for &(name, value) in new {
        let exact = old.iter().position(|it| it.1 == name);
        let alike = || old.iter().position(|it| it.2 && it.1.to_lowercase() == name.to_lowercase());
        let Some(index) = exact.or_else(alike) else {
            unused.push((name, value));
            continue;
        };
        let (row, ..) = old.swap_remove(index);
        let mut statement = Query::update();
        statement.table(Table).and_where(Expr::col(Id).eq(row)).value(Name, name);
        write(&mut statement, value, now);
        tx.execute(&statement)?;
    }
    Ok(unused)
}

fn insert(tx: &Tx<'_>, id: &ImageId, new: &[(&str, Option<&str>)], now: DateTime<Utc>) -> Result<(), DbError> {
    use ImageProperties::{CreatedAt, Deleted, ImageId, Name, Table, UpdatedAt, Value};
    if new.is_empty() {
        return Ok(());
    }
    let mut statement = Query::insert();
    statement.into_table(Table).columns([ImageId, Name, Value, CreatedAt, UpdatedAt, Deleted]);
    for &(name, value) in new {
        let (id, name, value) = (Expr::val(id.as_str()), Expr::val(name), Expr::val(value));
        statement.values_panic([id, name, value, Expr::val(time(now)), Expr::val(time(now)), false.into()]);
    }
    tx.execute(&statement).map(drop)
}

fn of(id: &ImageId) -> UpdateStatement {
    let mut statement = Query::update();
    statement.table(ImageProperties::Table).and_where(Expr::col(ImageProperties::ImageId).eq(id.as_str()));
    statement
}

fn write(statement: &mut UpdateStatement, value: Option<&str>, now: DateTime<Utc>) {
    statement.value(ImageProperties::Value, value).value(ImageProperties::Deleted, false);
    statement.value(ImageProperties::DeletedAt, None::<String>).value(ImageProperties::UpdatedAt, time(now));
}
