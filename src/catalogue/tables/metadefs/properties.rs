//! The table `metadef_properties`.

use crate::catalogue::tables::{
    metadefs::{AT_ONCE, names::MetadefProperties, object},
    names::time,
};
use crate::db::{DbError, Tx};
use crate::image::metadef::{Properties, Schema};
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, Order, Query};
use serde_json::Value;

/// All properties of a namespace, by name.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn all(tx: &Tx<'_>, namespace: i64) -> Result<Properties, DbError> {
    let mut query = Query::select();
    query.from(MetadefProperties::Table).columns([MetadefProperties::Name, MetadefProperties::JsonSchema]);
    query.and_where(Expr::col(MetadefProperties::NamespaceId).eq(namespace));
    query.order_by(MetadefProperties::Name, Order::Asc);
    let read = |row: &crate::db::Row| Ok((row.get(0)?, object(row.get::<Option<String>>(1)?.as_deref()).into()));
    tx.select(&query)?.iter().map(read).collect()
}

/// The row and the schema of one.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn find(tx: &Tx<'_>, namespace: i64, name: &str) -> Result<Option<(i64, Schema)>, DbError> {
    let mut query = Query::select();
    query.from(MetadefProperties::Table).columns([MetadefProperties::Id, MetadefProperties::JsonSchema]);
    query.and_where(Expr::col(MetadefProperties::NamespaceId).eq(namespace));
    query.and_where(Expr::col(MetadefProperties::Name).eq(name));
    let Some(row) = tx.select_one(&query)? else { return Ok(None) };
    Ok(Some((row.get(0)?, object(row.get::<Option<String>>(1)?.as_deref()))))
}

/// Adds properties.
///
/// # Errors
/// [`DbError::Duplicate`] when a name is taken.
pub(crate) fn insert(tx: &Tx<'_>, namespace: i64, new: &Properties, now: DateTime<Utc>) -> Result<(), DbError> {
    let new: Vec<(&String, &Value)> = new.iter().collect();
    for part in new.chunks(AT_ONCE) {
        let mut statement = Query::insert();
        statement.into_table(MetadefProperties::Table).columns([
            MetadefProperties::NamespaceId,
            MetadefProperties::Name,
            MetadefProperties::JsonSchema,
            MetadefProperties::CreatedAt,
            MetadefProperties::UpdatedAt,
        ]);
        for (name, schema) in part {
            let (name, schema) = (name.as_str().into(), schema.to_string().into());
            statement.values_panic([namespace.into(), name, schema, time(now).into(), time(now).into()]);
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
