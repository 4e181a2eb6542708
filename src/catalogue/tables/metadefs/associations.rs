//! The tables `metadef_resource_types` and `metadef_namespace_resource_types`.

use crate::catalogue::tables::{
    metadefs::{
        AT_ONCE,
        names::{MetadefNamespaceResourceTypes as Links, MetadefResourceTypes as Types},
        times, written,
    },
    names::{same, time},
};
use crate::db::{DbError, Dialect, Tx};
use crate::image::metadef::{Association, ResourceType, Times};
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, OnConflict, Order, Query, Value};
use std::collections::{HashMap, HashSet};

/// All resource types.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn types(tx: &Tx<'_>) -> Result<Vec<ResourceType>, DbError> {
    let mut query = Query::select();
    query.from(Types::Table).columns([Types::Name, Types::CreatedAt, Types::UpdatedAt]);
    query.order_by(Types::Id, Order::Asc);
    tx.select(&query)?.iter().map(|row| Ok(ResourceType { name: row.get(0)?, times: times(row, 1)? })).collect()
}

/// Whether there is a resource type of this name.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn is_type(tx: &Tx<'_>, name: &str) -> Result<bool, DbError> {
    Ok(!ids(tx, &[name])?.is_empty())
}

/// The ids of resource types, after the missing ones were made.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn ensure_types(
    tx: &Tx<'_>,
    names: &[&str],
    protected: bool,
    at: Times,
) -> Result<HashMap<String, i64>, DbError> {
    let known = ids(tx, names)?;
    let mut missing: Vec<&str> = names.iter().copied().filter(|it| !known.contains_key(*it)).collect();
    // Those that differ in case alone are one on MySQL.
    let is_mysql = tx.dialect() == Dialect::Mysql;
    let mut taken = HashSet::new();
    missing.retain(|it| taken.insert(if is_mysql { it.to_lowercase() } else { (*it).to_owned() }));
    if missing.is_empty() {
        return Ok(known);
    }
    for part in missing.chunks(AT_ONCE) {
        let mut statement = Query::insert();
        statement.into_table(Types::Table);
        statement.columns([Types::Name, Types::Protected, Types::CreatedAt, Types::UpdatedAt]);
        for name in part {
            let [created, updated] = written(at);
            statement.values_panic([(*name).into(), protected.into(), created, updated]);
        }
        tx.execute(&statement)?;
    }
    ids(tx, names)
}

/// The associations of namespaces, by the namespace's id.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn of(tx: &Tx<'_>, namespaces: &[i64]) -> Result<HashMap<i64, Vec<Association>>, DbError> {
    let mut found: HashMap<i64, Vec<Association>> = HashMap::new();
    for part in namespaces.chunks(AT_ONCE) {
        let mut query = Query::select();
        query.from(Links::Table).columns([
            (Links::Table, Links::NamespaceId),
            (Links::Table, Links::Prefix),
            (Links::Table, Links::PropertiesTarget),
            (Links::Table, Links::CreatedAt),
            (Links::Table, Links::UpdatedAt),
        ]);
        query.column((Types::Table, Types::Name));
        let on = Expr::col((Types::Table, Types::Id)).equals((Links::Table, Links::ResourceTypeId));
        query.inner_join(Types::Table, on);
        query.and_where(Expr::col((Links::Table, Links::NamespaceId)).is_in(part.iter().copied()));
        query.order_by((Types::Table, Types::Id), Order::Asc);
        for row in tx.select(&query)? {
            let association = Association {
                name: row.get(5)?,
                prefix: row.get(1)?,
                properties_target: row.get(2)?,
                times: Some(times(&row, 3)?),
            };
            found.entry(row.get(0)?).or_default().push(association);
        }
    }
    Ok(found)
}

/// Associates a namespace with the types of these ids.
///
/// # Errors
/// [`DbError::Duplicate`] when it is associated with one already.
pub(crate) fn insert(tx: &Tx<'_>, namespace: i64, new: &[(i64, &Association)], at: Times) -> Result<(), DbError> {
    write(tx, namespace, new, at, None)
}

/// Writes the fields of associations that are there anew, and marks their types as changed.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn renew(
    tx: &Tx<'_>,
    namespace: i64,
    all: &[(i64, &Association)],
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let mut conflict = OnConflict::columns([Links::ResourceTypeId, Links::NamespaceId]);
    conflict.update_columns([Links::PropertiesTarget, Links::Prefix, Links::UpdatedAt]);
    write(tx, namespace, all, Times { created: now, updated: Some(now) }, Some(&conflict))?;
    for part in all.chunks(AT_ONCE) {
        let mut statement = Query::update();
        statement.table(Types::Table).value(Types::UpdatedAt, time(now));
        statement.and_where(Expr::col(Types::Id).is_in(part.iter().map(|it| it.0)));
        tx.execute(&statement)?;
    }
    Ok(())
}

fn write(
    tx: &Tx<'_>,
    namespace: i64,
    all: &[(i64, &Association)],
    at: Times,
    conflict: Option<&OnConflict>,
) -> Result<(), DbError> {
    for part in all.chunks(AT_ONCE) {
        let mut statement = Query::insert();
        statement.into_table(Links::Table).columns([
            Links::ResourceTypeId,
            Links::NamespaceId,
            Links::PropertiesTarget,
            Links::Prefix,
            Links::CreatedAt,
            Links::UpdatedAt,
        ]);
        for (resource_type, it) in part {
            let (target, prefix) = (it.properties_target.clone(), it.prefix.clone());
            let [created, updated] = written(at);
            statement.values_panic([
                (*resource_type).into(),
                namespace.into(),
                target.into(),
                prefix.into(),
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

/// Ends the association with a type; whether there was one.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn remove(tx: &Tx<'_>, namespace: i64, name: &str) -> Result<bool, DbError> {
    let mut of_name = Query::select();
    of_name.column(Types::Id).from(Types::Table).and_where(same(tx.dialect(), Types::Name, name));
    let mut statement = Query::delete();
    statement.from_table(Links::Table).and_where(Expr::col(Links::NamespaceId).eq(namespace));
    statement.and_where(Expr::col(Links::ResourceTypeId).in_subquery(of_name));
    Ok(tx.execute(&statement)? > 0)
}

fn ids(tx: &Tx<'_>, names: &[&str]) -> Result<HashMap<String, i64>, DbError> {
    let mut found = HashMap::new();
    for part in names.chunks(AT_ONCE) {
        let mut query = Query::select();
        query.from(Types::Table).columns([Types::Name, Types::Id]);
        query.and_where(Expr::col(Types::Name).is_in(part.iter().map(|it| Value::from(*it))));
        let rows = tx.select(&query)?;
        let rows: Vec<(String, i64)> =
            rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_, DbError>>()?;
        // On MySQL `a` is found for `A`, and there can be no other.
        for name in part {
            let exact = rows.iter().find(|it| it.0 == *name);
            let alike = || rows.iter().find(|it| it.0.to_lowercase() == name.to_lowercase());
            if let Some((_, id)) = exact.or_else(alike) {
                found.insert((*name).to_owned(), *id);
            }
        }
    }
    Ok(found)
}
