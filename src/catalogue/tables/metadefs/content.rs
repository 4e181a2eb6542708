//! What the tables of a namespace's content have in common.

use crate::catalogue::tables::metadefs::names::{
    MetadefNamespaceResourceTypes, MetadefNamespaces, MetadefObjects, MetadefProperties, MetadefResourceTypes,
    MetadefTags,
};
use crate::db::{DbError, Tx};
use sea_query::{Expr, ExprTrait, Query};

/// A kind of content with names and ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Properties,
    Objects,
    Tags,
}

/// Deletes one row by its id.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn remove(tx: &Tx<'_>, content: Content, id: i64) -> Result<(), DbError> {
    let mut statement = Query::delete();
    match content {
        Content::Properties => {
            statement.from_table(MetadefProperties::Table).and_where(Expr::col(MetadefProperties::Id).eq(id))
        }
        Content::Objects => statement.from_table(MetadefObjects::Table).and_where(Expr::col(MetadefObjects::Id).eq(id)),
        Content::Tags => statement.from_table(MetadefTags::Table).and_where(Expr::col(MetadefTags::Id).eq(id)),
    };
    tx.execute(&statement).map(drop)
}

/// Deletes all of a kind in a namespace.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn clear(tx: &Tx<'_>, content: Content, namespace: i64) -> Result<(), DbError> {
    let mut statement = Query::delete();
    match content {
        Content::Properties => statement
            .from_table(MetadefProperties::Table)
            .and_where(Expr::col(MetadefProperties::NamespaceId).eq(namespace)),
        Content::Objects => {
            statement.from_table(MetadefObjects::Table).and_where(Expr::col(MetadefObjects::NamespaceId).eq(namespace))
        }
        Content::Tags => {
            statement.from_table(MetadefTags::Table).and_where(Expr::col(MetadefTags::NamespaceId).eq(namespace))
        }
    };
    tx.execute(&statement).map(drop)
}

/// Empties all tables of metadata definitions.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn clear_all(tx: &Tx<'_>) -> Result<(), DbError> {
    tx.execute(Query::delete().from_table(MetadefProperties::Table))?;
    tx.execute(Query::delete().from_table(MetadefObjects::Table))?;
    tx.execute(Query::delete().from_table(MetadefTags::Table))?;
    tx.execute(Query::delete().from_table(MetadefNamespaceResourceTypes::Table))?;
    tx.execute(Query::delete().from_table(MetadefNamespaces::Table))?;
    tx.execute(Query::delete().from_table(MetadefResourceTypes::Table))?;
    Ok(())
}
