//! The table `metadef_tags`.

use crate::catalogue::tables::{
    metadefs::{AT_ONCE, names::MetadefTags, times},
    names::time,
};
use crate::db::{DbError, Tx};
use crate::image::metadef::Tag;
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, Order, Query};

/// All tags of a namespace with their rows' ids, the newest first.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn all(tx: &Tx<'_>, namespace: i64) -> Result<Vec<(i64, Tag)>, DbError> {
    let mut query = Query::select();
    query.from(MetadefTags::Table);
    query.columns([MetadefTags::Id, MetadefTags::Name, MetadefTags::CreatedAt, MetadefTags::UpdatedAt]);
    query.and_where(Expr::col(MetadefTags::NamespaceId).eq(namespace));
    query.order_by(MetadefTags::CreatedAt, Order::Desc).order_by(MetadefTags::Id, Order::Desc);
    let rows = tx.select(&query)?;
    rows.iter().map(|row| Ok((row.get(0)?, Tag { name: row.get(1)?, times: times(row, 2)? }))).collect()
}

/// Adds tags.
///
/// # Errors
/// [`DbError::Duplicate`] when a name is taken.
pub(crate) fn insert(tx: &Tx<'_>, namespace: i64, names: &[String], now: DateTime<Utc>) -> Result<(), DbError> {
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
            statement.values_panic([namespace.into(), name.as_str().into(), time(now).into(), time(now).into()]);
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
