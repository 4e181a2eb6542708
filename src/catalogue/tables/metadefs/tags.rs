//! The table `metadef_tags`.

use crate::catalogue::tables::{
    metadefs::{AT_ONCE, names::MetadefTags, times, written},
    names::time,
};
use crate::db::{DbError, Tx};
use crate::image::metadef::{Tag, Times};
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, Order, Query};
use std::collections::HashMap;

/// All tags of a namespace with their rows' ids, the newest first.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn all(tx: &Tx<'_>, namespace: i64) -> Result<Vec<(i64, Tag)>, DbError> {
    Ok(of(tx, &[namespace])?.remove(&namespace).unwrap_or_default())
}

/// The tags of namespaces with their rows' ids, by the namespace's id, each the newest first.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn of(tx: &Tx<'_>, namespaces: &[i64]) -> Result<HashMap<i64, Vec<(i64, Tag)>>, DbError> {
    let mut found: HashMap<i64, Vec<(i64, Tag)>> = HashMap::new();
    for part in namespaces.chunks(AT_ONCE) {
        let mut query = Query::select();
        query.from(MetadefTags::Table).columns([
            MetadefTags::NamespaceId,
            MetadefTags::Id,
            MetadefTags::Name,
            MetadefTags::CreatedAt,
            MetadefTags::UpdatedAt,
        ]);
        query.and_where(Expr::col(MetadefTags::NamespaceId).is_in(part.iter().copied()));
        query.order_by(MetadefTags::CreatedAt, Order::Desc).order_by(MetadefTags::Id, Order::Desc);
        for row in tx.select(&query)? {
            let tag = Tag { name: row.get(2)?, times: times(&row, 3)? };
            found.entry(row.get(0)?).or_default().push((row.get(1)?, tag));
        }
    }
    Ok(found)
}

/// Marks tags as changed.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn touch(tx: &Tx<'_>, ids: &[i64], now: DateTime<Utc>) -> Result<(), DbError> {
    for part in ids.chunks(AT_ONCE) {
        let mut statement = Query::update();
        statement.table(MetadefTags::Table).value(MetadefTags::UpdatedAt, time(now));
        statement.and_where(Expr::col(MetadefTags::Id).is_in(part.iter().copied()));
        tx.execute(&statement)?;
    }
    Ok(())
}

/// Adds tags.
///
/// # Errors
/// [`DbError::Duplicate`] when a name is taken.
pub(crate) fn insert(tx: &Tx<'_>, namespace: i64, names: &[String], at: Times) -> Result<(), DbError> {
    for part in names.chunks(AT_ONCE) {
        let mut statement = Query::insert();
        statement.into_table(MetadefTags::Table);
        statement.columns([
            MetadefTags::NamespaceId,
            MetadefTags::Name,
            MetadefTags::CreatedAt,
            MetadefTags::UpdatedAt,
        ]);
        for name in part {
            let [created, updated] = written(at);
            statement.values_panic([namespace.into(), name.as_str().into(), created, updated]);
        }
        tx.execute(&statement)?;
    }
    Ok(())
}

/// Renames a tag.
///
/// # Errors
/// [`DbError::Duplicate`] when the name is taken.
pub(crate) fn update(tx: &Tx<'_>, id: i64, name: &str, now: DateTime<Utc>) -> Result<(), DbError> {
    let mut statement = Query::update();
    statement.table(MetadefTags::Table).and_where(Expr::col(MetadefTags::Id).eq(id));
    statement.value(MetadefTags::Name, name).value(MetadefTags::UpdatedAt, time(now));
    tx.execute(&statement).map(drop)
}
