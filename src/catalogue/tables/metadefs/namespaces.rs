//! The table `metadef_namespaces`.

use crate::catalogue::tables::{
    metadefs::{
        Content, clear,
        names::{MetadefNamespaceResourceTypes, MetadefNamespaces, MetadefResourceTypes},
        times,
    },
    names::{same, time},
    turns,
};
use crate::db::{DbError, Row, Tx};
use crate::image::metadef::{Listing, Namespace, SortKey};
use sea_query::{Condition, Expr, ExprTrait, NullOrdering, Order, Query, SelectStatement, Value};

/// A namespace and its row.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) id: i64,
    pub(crate) namespace: Namespace,
}

/// Whose namespaces are seen: everybody's, or the public ones and those of a project.
#[derive(Clone, Debug)]
pub(crate) enum Sight {
    All,
    Public { and_of: Option<String> },
}

/// The namespace of this name. In a transaction that writes, others that want to change it or what is in it wait for the
/// end of this one (on other nodes of a cluster, run again).
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn find(tx: &Tx<'_>, name: &str) -> Result<Option<Found>, DbError> {
    turns::take(tx, name)?;
    let mut query = select();
    query.and_where(same(tx.dialect(), MetadefNamespaces::Namespace, name));
    tx.select_to_change(&mut query)?.as_ref().map(read).transpose()
}

/// All of them, by name.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn all(tx: &Tx<'_>) -> Result<Vec<Found>, DbError> {
    let mut all: Vec<Found> = tx.select(&select())?.iter().map(read).collect::<Result<_, _>>()?;
    // Databases differ in the order of names.
    all.sort_by(|a, b| a.namespace.name.cmp(&b.namespace.name));
    Ok(all)
}

/// A page of namespaces, behind the marker.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn page(
    tx: &Tx<'_>,
    sight: &Sight,
    listing: &Listing,
    marker: Option<&Found>,
) -> Result<Vec<Found>, DbError> {
    let mut query = select();
    if let Sight::Public { and_of } = sight {
        let mut any = Condition::any().add(Expr::col(MetadefNamespaces::Visibility).eq("public"));
        if let Some(project) = and_of {
            any = any.add(Expr::col(MetadefNamespaces::Owner).eq(project.as_str()));
        }
        query.cond_where(any);
    }
    if let Some(is_public) = listing.is_public {
        // What `glance-manage` loads without a visibility has none, and counts as private.
        let public = Expr::col(MetadefNamespaces::Visibility).eq(visibility(true));
        let private = Expr::col(MetadefNamespaces::Visibility);
        let private = Condition::any().add(private.clone().is_null()).add(private.ne(visibility(true)));
        query.cond_where(if is_public { Condition::all().add(public) } else { private });
    }
    if let Some(types) = &listing.resource_types {
        query.and_where(Expr::col(MetadefNamespaces::Id).in_subquery(of_types(types)));
    }
    let keys = keys(listing.sort);
    if let Some(marker) = marker {
        query.cond_where(behind(marker, &keys, listing.descending));
    }
    for key in &keys {
        // Nothing is less than anything, on every database.
        if listing.descending {
            query.order_by_with_nulls(*key, Order::Desc, NullOrdering::Last);
        } else {
            query.order_by_with_nulls(*key, Order::Asc, NullOrdering::First);
        }
    }
    if let Some(limit) = listing.limit {
        query.limit(limit as u64);
    }
    tx.select(&query)?.iter().map(read).collect()
}

/// Writes a new row; its id.
///
/// # Errors
/// [`DbError::Duplicate`] when the name is taken.
pub(crate) fn insert(tx: &Tx<'_>, it: &Namespace) -> Result<i64, DbError> {
    let mut statement = Query::insert();
    statement.into_table(MetadefNamespaces::Table).columns([
        MetadefNamespaces::Namespace,
        MetadefNamespaces::DisplayName,
        MetadefNamespaces::Description,
        MetadefNamespaces::Visibility,
        MetadefNamespaces::Protected,
        MetadefNamespaces::Owner,
        MetadefNamespaces::CreatedAt,
        MetadefNamespaces::UpdatedAt,
    ]);
    statement.values_panic([
        it.name.as_str().into(),
        it.display_name.clone().into(),
        it.description.clone().into(),
        visibility(it.is_public).into(),
        it.protected.into(),
        it.owner.as_str().into(),
        time(it.times.created).into(),
        it.times.updated.map(|it| it.naive_utc()).into(),
    ]);
    tx.execute(&statement)?;
    let mut query = Query::select();
    query.column(MetadefNamespaces::Id).from(MetadefNamespaces::Table);
    query.and_where(same(tx.dialect(), MetadefNamespaces::Namespace, &it.name));
    tx.select_one(&query)?.ok_or(DbError::BrokeOff)?.get(0)
}

/// Writes all fields of an old row anew.
///
/// # Errors
/// [`DbError::Duplicate`] when the new name is taken.
pub(crate) fn update(tx: &Tx<'_>, id: i64, it: &Namespace) -> Result<(), DbError> {
    let mut statement = Query::update();
    statement.table(MetadefNamespaces::Table).and_where(Expr::col(MetadefNamespaces::Id).eq(id));
    statement.value(MetadefNamespaces::Namespace, it.name.as_str());
    statement.value(MetadefNamespaces::DisplayName, it.display_name.clone());
    statement.value(MetadefNamespaces::Description, it.description.clone());
    statement.value(MetadefNamespaces::Visibility, visibility(it.is_public));
    statement.value(MetadefNamespaces::Protected, it.protected);
    statement.value(MetadefNamespaces::Owner, it.owner.as_str());
    statement.value(MetadefNamespaces::UpdatedAt, it.times.updated.map(|it| it.naive_utc()));
    tx.execute(&statement).map(drop)
}

/// Deletes a namespace with all that is in it. Resource types stay.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn remove(tx: &Tx<'_>, id: i64) -> Result<(), DbError> {
    for content in [Content::Tags, Content::Objects, Content::Properties] {
        clear(tx, content, id)?;
    }
    let mut statement = Query::delete();
    statement.from_table(MetadefNamespaceResourceTypes::Table);
    statement.and_where(Expr::col(MetadefNamespaceResourceTypes::NamespaceId).eq(id));
    tx.execute(&statement)?;
    let mut statement = Query::delete();
    statement.from_table(MetadefNamespaces::Table).and_where(Expr::col(MetadefNamespaces::Id).eq(id));
    tx.execute(&statement).map(drop)
}

fn select() -> SelectStatement {
    let mut query = Query::select();
    query.from(MetadefNamespaces::Table).columns([
        MetadefNamespaces::Id,
        MetadefNamespaces::Namespace,
        MetadefNamespaces::DisplayName,
        MetadefNamespaces::Description,
        MetadefNamespaces::Visibility,
        MetadefNamespaces::Protected,
        MetadefNamespaces::Owner,
        MetadefNamespaces::CreatedAt,
        MetadefNamespaces::UpdatedAt,
    ]);
    query
}

fn read(row: &Row) -> Result<Found, DbError> {
    let namespace = Namespace {
        name: row.get(1)?,
        display_name: row.get(2)?,
        description: row.get(3)?,
        is_public: row.get::<Option<String>>(4)?.as_deref() == Some("public"),
        protected: row.get::<Option<bool>>(5)?.unwrap_or_default(),
        owner: row.get(6)?,
        times: times(row, 7)?,
    };
    Ok(Found { id: row.get(0)?, namespace })
}

fn visibility(is_public: bool) -> &'static str {
    if is_public { "public" } else { "private" }
}

fn of_types(names: &[String]) -> SelectStatement {
    let mut query = Query::select();
    query.column((MetadefNamespaceResourceTypes::Table, MetadefNamespaceResourceTypes::NamespaceId));
    query.from(MetadefNamespaceResourceTypes::Table).inner_join(
        MetadefResourceTypes::Table,
        Expr::col((MetadefResourceTypes::Table, MetadefResourceTypes::Id))
            .equals((MetadefNamespaceResourceTypes::Table, MetadefNamespaceResourceTypes::ResourceTypeId)),
    );
    let name = Expr::col((MetadefResourceTypes::Table, MetadefResourceTypes::Name));
    query.and_where(name.is_in(names.iter().map(String::as_str)));
    query
}

/// What is sorted by, with what breaks ties.
fn keys(sort: SortKey) -> Vec<MetadefNamespaces> {
    let mut keys = match sort {
        SortKey::Created => vec![],
        SortKey::Updated => vec![MetadefNamespaces::UpdatedAt],
        SortKey::Name => vec![MetadefNamespaces::Namespace],
        SortKey::DisplayName => vec![MetadefNamespaces::DisplayName],
        SortKey::Description => vec![MetadefNamespaces::Description],
        SortKey::Visibility => vec![MetadefNamespaces::Visibility],
        SortKey::Protected => vec![MetadefNamespaces::Protected],
        SortKey::Owner => vec![MetadefNamespaces::Owner],
    };
    keys.extend([MetadefNamespaces::CreatedAt, MetadefNamespaces::Id]);
    keys
}

/// The marker's value of a sort key.
fn value(marker: &Found, key: MetadefNamespaces) -> Option<Value> {
    let it = &marker.namespace;
    match key {
        MetadefNamespaces::UpdatedAt => it.times.updated.map(time),
        MetadefNamespaces::Namespace => Some(it.name.as_str().into()),
        MetadefNamespaces::DisplayName => it.display_name.as_deref().map(Into::into),
        MetadefNamespaces::Description => it.description.as_deref().map(Into::into),
        MetadefNamespaces::Visibility => Some(visibility(it.is_public).into()),
        MetadefNamespaces::Protected => Some(it.protected.into()),
        MetadefNamespaces::Owner => Some(it.owner.as_str().into()),
        MetadefNamespaces::Id => Some(marker.id.into()),
        _ => Some(time(it.times.created)),
    }
}

/// Greater in the order of the keys than the marker, where nothing is less than anything.
fn behind(marker: &Found, keys: &[MetadefNamespaces], descending: bool) -> Condition {
    let mut any = Condition::any();
    for (index, key) in keys.iter().enumerate() {
        let mut all = Condition::all();
        for earlier in &keys[..index] {
            all = all.add(match value(marker, *earlier) {
                Some(value) => Expr::col(*earlier).eq(value),
                None => Expr::col(*earlier).is_null(),
            });
        }
        all = match (value(marker, *key), descending) {
            (Some(value), false) => all.add(Expr::col(*key).gt(value)),
            (Some(value), true) => {
                all.add(Condition::any().add(Expr::col(*key).lt(value)).add(Expr::col(*key).is_null()))
            }
            (None, false) => all.add(Expr::col(*key).is_not_null()),
            (None, true) => continue,
        };
        any = any.add(all);
    }
    any
}
