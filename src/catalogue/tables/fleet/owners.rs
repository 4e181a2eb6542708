//! The table `larder_node_owners`: whose a node's name is.

use super::names::LarderNodeOwners::{InstanceHash, Node, Table, UserId};
use crate::db::{DbError, Tx};
use crate::wire::fleet::NodeName;
use sea_query::{Expr, ExprTrait, OnConflict, Query};

/// Who registered a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    /// SHA-256 of the agent's own secret, in hex; none of an agent that has none.
    pub(crate) instance_hash: Option<String>,
    /// The user's id; none where nobody logs in.
    pub(crate) user: Option<String>,
}

/// Who registered a node; none when it was before there was this table.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn find(tx: &Tx<'_>, node: &NodeName) -> Result<Option<Owner>, DbError> {
    let mut query = Query::select();
    query.columns([InstanceHash, UserId]).from(Table).and_where(Expr::col(Node).eq(node.as_str()));
    let read = |row: crate::db::Row| Ok(Owner { instance_hash: row.get(0)?, user: row.get(1)? });
    tx.select_one(&query)?.map(read).transpose()
}

/// Notes who registers a node, whose row the transaction holds.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn put(tx: &Tx<'_>, node: &NodeName, owner: &Owner) -> Result<(), DbError> {
    let mut statement = Query::insert();
    statement.into_table(Table).columns([Node, InstanceHash, UserId]);
    let Owner { instance_hash, user } = owner;
    statement.values_panic([Expr::val(node.as_str()), Expr::val(instance_hash.as_deref()), Expr::val(user.as_deref())]);
    statement.on_conflict(OnConflict::column(Node).update_columns([InstanceHash, UserId]).to_owned());
    tx.execute(&statement).map(drop)
}

/// The name is free again.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn delete(tx: &Tx<'_>, node: &NodeName) -> Result<(), DbError> {
    let mut statement = Query::delete();
    statement.from_table(Table).and_where(Expr::col(Node).eq(node.as_str()));
    tx.execute(&statement).map(drop)
}
