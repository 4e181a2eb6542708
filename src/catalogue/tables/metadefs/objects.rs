//! The table `metadef_objects`.

use crate::catalogue::tables::{
    metadefs::{AT_ONCE, names::MetadefObjects, object, times, written},
    names::{same, time},
};
use crate::db::{DbError, Row, Tx};
use crate::image::metadef::{Object, Times};
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, OnConflict, Query, SelectStatement};
use serde_json::Value;
use std::collections::HashMap;

/// All objects of a namespace, by name.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn all(tx: &Tx<'_>, namespace: i64) -> Result<Vec<Object>, DbError> {
    Ok(of(tx, &[namespace])?.remove(&namespace).unwrap_or_default())
}

/// The objects of namespaces, by the namespace's id, each by name.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn of(tx: &Tx<'_>, namespaces: &[i64]) -> Result<HashMap<i64, Vec<Object>>, DbError> {
    let mut found: HashMap<i64, Vec<Object>> = HashMap::new();
    for part in namespaces.chunks(AT_ONCE) {
        let mut query = select(part);
        query.column(MetadefObjects::NamespaceId);
        for row in tx.select(&query)? {
            found.entry(row.get(7)?).or_default().push(read(&row)?.1);
        }
    }
    // Databases differ in the order of names.
    found.values_mut().for_each(|it| it.sort_by(|a, b| a.name.cmp(&b.name)));
    Ok(found)
}

/// The row and the content of one.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn find(tx: &Tx<'_>, namespace: i64, name: &str) -> Result<Option<(i64, Object)>, DbError> {
    let mut query = select(&[namespace]);
    query.and_where(same(tx.dialect(), MetadefObjects::Name, name));
    tx.select_one(&query)?.as_ref().map(read).transpose()
}

/// Adds objects.
///
/// # Errors
/// [`DbError::Duplicate`] when a name is taken.
pub(crate) fn insert(tx: &Tx<'_>, namespace: i64, new: &[Object], times: Times) -> Result<(), DbError> {
    write(tx, namespace, new, times, None)
}

/// Writes all fields of objects that are there anew.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn renew(tx: &Tx<'_>, namespace: i64, all: &[Object], now: DateTime<Utc>) -> Result<(), DbError> {
    let mut conflict = OnConflict::columns([MetadefObjects::NamespaceId, MetadefObjects::Name]);
    conflict.update_columns([
        MetadefObjects::Description,
        MetadefObjects::Required,
        MetadefObjects::JsonSchema,
        MetadefObjects::UpdatedAt,
    ]);
    write(tx, namespace, all, Times { created: now, updated: Some(now) }, Some(&conflict))
}

fn write(
    tx: &Tx<'_>,
    namespace: i64,
    all: &[Object],
    times: Times,
    conflict: Option<&OnConflict>,
) -> Result<(), DbError> {
    for part in all.chunks(AT_ONCE) {
        let mut statement = Query::insert();
        statement.into_table(MetadefObjects::Table).columns([
            MetadefObjects::NamespaceId,
            MetadefObjects::Name,
            MetadefObjects::Description,
            MetadefObjects::Required,
            MetadefObjects::JsonSchema,
            MetadefObjects::CreatedAt,
            MetadefObjects::UpdatedAt,
        ]);
        for it in part {
            let [created, updated] = written(times);
            statement.values_panic([
                namespace.into(),
                it.name.as_str().into(),
                it.description.clone().into(),
                required(it).into(),
                schema(it).into(),
                created,
                updated,
            ]);
        }
        if let Some(conflict) = conflict {
            statement.on_conflict(conflict.clone());
        }
        tx.execute(&statement)?;
    }
    Ok(())
}

/// Writes all fields of an object anew.
///
/// # Errors
/// [`DbError::Duplicate`] when the new name is taken.
pub(crate) fn update(tx: &Tx<'_>, id: i64, it: &Object, now: DateTime<Utc>) -> Result<(), DbError> {
    let mut statement = Query::update();
    statement.table(MetadefObjects::Table).and_where(Expr::col(MetadefObjects::Id).eq(id));
    statement.value(MetadefObjects::Name, it.name.as_str());
    statement.value(MetadefObjects::Description, it.description.clone());
    statement.value(MetadefObjects::Required, required(it)).value(MetadefObjects::JsonSchema, schema(it));
    statement.value(MetadefObjects::UpdatedAt, time(now));
    tx.execute(&statement).map(drop)
}

fn select(namespaces: &[i64]) -> SelectStatement {
    let mut query = Query::select();
    query.from(MetadefObjects::Table).columns([
        MetadefObjects::Id,
        MetadefObjects::Name,
        MetadefObjects::Description,
        MetadefObjects::Required,
        MetadefObjects::JsonSchema,
        MetadefObjects::CreatedAt,
        MetadefObjects::UpdatedAt,
    ]);
    query.and_where(Expr::col(MetadefObjects::NamespaceId).is_in(namespaces.iter().copied()));
    query
}

fn read(row: &Row) -> Result<(i64, Object), DbError> {
    let required: Option<String> = row.get(3)?;
    let names = required.as_deref().unwrap_or_default().split(',').filter(|it| !it.is_empty());
    let found = Object {
        name: row.get(1)?,
        required: Some(names.map(str::to_owned).collect()),
        description: row.get(2)?,
        properties: Some(object(row.get::<Option<String>>(4)?.as_deref())),
        times: Some(times(row, 5)?),
    };
    Ok((row.get(0)?, found))
}

/// Glance's way to write a list into a column.
fn required(it: &Object) -> Option<String> {
    it.required.as_ref().filter(|it| !it.is_empty()).map(|it| it.join(","))
}

fn schema(it: &Object) -> String {
    Value::Object(it.properties.clone().unwrap_or_default()).to_string()
}
