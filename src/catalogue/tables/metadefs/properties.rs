//! The table `metadef_properties`.

use crate::catalogue::tables::{
    metadefs::{AT_ONCE, names::MetadefProperties, object, written},
    names::{same, time},
};
use crate::db::{DbError, Tx};
use crate::image::metadef::{Properties, Schema, Times};
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, OnConflict, Query};
use serde_json::Value;
use std::collections::HashMap;

/// All properties of a namespace, by name.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn all(tx: &Tx<'_>, namespace: i64) -> Result<Properties, DbError> {
    Ok(of(tx, &[namespace])?.remove(&namespace).unwrap_or_default())
}

/// The properties of namespaces, by the namespace's id and by name.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn of(tx: &Tx<'_>, namespaces: &[i64]) -> Result<HashMap<i64, Properties>, DbError> {
    let mut found: HashMap<i64, Properties> = HashMap::new();
    for part in namespaces.chunks(AT_ONCE) {
        let mut query = Query::select();
        query.from(MetadefProperties::Table);
        query.columns([MetadefProperties::NamespaceId, MetadefProperties::Name, MetadefProperties::JsonSchema]);
        query.and_where(Expr::col(MetadefProperties::NamespaceId).is_in(part.iter().copied()));
        for row in tx.select(&query)? {
            let schema = object(row.get::<Option<String>>(2)?.as_deref());
            found.entry(row.get(0)?).or_default().insert(row.get(1)?, schema.into());
        }
    }
    // Databases differ in the order of names.
    found.values_mut().for_each(Properties::sort_keys);
    Ok(found)
}

/// The row and the schema of one.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn find(tx: &Tx<'_>, namespace: i64, name: &str) -> Result<Option<(i64, Schema)>, DbError> {
    let mut query = Query::select();
    query.from(MetadefProperties::Table).columns([MetadefProperties::Id, MetadefProperties::JsonSchema]);
    query.and_where(Expr::col(MetadefProperties::NamespaceId).eq(namespace));
    query.and_where(same(tx.dialect(), MetadefProperties::Name, name));
    let Some(row) = tx.select_one(&query)? else { return Ok(None) };
    Ok(Some((row.get(0)?, object(row.get::<Option<String>>(1)?.as_deref()))))
}

/// Adds properties.
///
/// # Errors
/// [`DbError::Duplicate`] when a name is taken.
pub(crate) fn insert(tx: &Tx<'_>, namespace: i64, new: &Properties, times: Times) -> Result<(), DbError> {
    write(tx, namespace, new, times, None)
}

/// Gives properties that are there other schemas.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn renew(tx: &Tx<'_>, namespace: i64, all: &Properties, now: DateTime<Utc>) -> Result<(), DbError> {
    let mut conflict = OnConflict::columns([MetadefProperties::NamespaceId, MetadefProperties::Name]);
    conflict.update_columns([MetadefProperties::JsonSchema, MetadefProperties::UpdatedAt]);
    write(tx, namespace, all, Times { created: now, updated: Some(now) }, Some(&conflict))
}

fn write(
    tx: &Tx<'_>,
    namespace: i64,
    all: &Properties,
    times: Times,
    conflict: Option<&OnConflict>,
) -> Result<(), DbError> {
    let all: Vec<(&String, &Value)> = all.iter().collect();
    for part in all.chunks(AT_ONCE) {
        let mut statement = Query::insert();
        statement.into_table(MetadefProperties::Table).columns([
            MetadefProperties::NamespaceId,
            MetadefProperties::Name,
            MetadefProperties::JsonSchema,
            MetadefProperties::CreatedAt,
            MetadefProperties::UpdatedAt,
        ]);
        for (name, schema) in part {
            let [created, updated] = written(times);
            let schema = schema.to_string().into();
            statement.values_panic([namespace.into(), name.as_str().into(), schema, created, updated]);
        }
        if let Some(conflict) = conflict {
            statement.on_conflict(conflict.clone());
        }
        tx.execute(&statement)?;
    }
    Ok(())
}

/// Gives a property another name and schema.
///
/// # Errors
/// [`DbError::Duplicate`] when the name is taken.
pub(crate) fn update(tx: &Tx<'_>, id: i64, name: &str, schema: &Value, now: DateTime<Utc>) -> Result<(), DbError> {
    let mut statement = Query::update();
    statement.table(MetadefProperties::Table).and_where(Expr::col(MetadefProperties::Id).eq(id));
    statement.value(MetadefProperties::Name, name).value(MetadefProperties::JsonSchema, schema.to_string());
    statement.value(MetadefProperties::UpdatedAt, time(now));
    tx.execute(&statement).map(drop)
}
