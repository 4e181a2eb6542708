//! The table `larder_rules`.

use super::{
    names::LarderRules::{Document, Name, Table},
    nodes::json,
    odd,
};
use crate::db::{DbError, Tx};
use crate::wire::fleet::{Rule, RuleName};
use sea_query::{Expr, ExprTrait, Order, Query};

/// All rules, in the order of their names. A document that a newer version wrote and this one cannot read is left out.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn all(tx: &Tx<'_>) -> Result<Vec<Rule>, DbError> {
    let mut query = Query::select();
    query.columns([Name, Document]).from(Table).order_by(Name, Order::Asc);
    let mut rules = Vec::new();
    for row in tx.select(&query)? {
        let (name, document): (String, String) = (row.get(0)?, row.get(1)?);
        let name: RuleName = name.parse().map_err(|_| odd(0, name, "a rule's name"))?;
        match serde_json::from_str::<Rule>(&document) {
            Ok(rule) => rules.push(Rule { name: Some(name), ..rule }),
            Err(error) => tracing::warn!(rule = %name, %error, "a prefetch rule cannot be read, and is left out"),
        }
    }
    Ok(rules)
}

/// Writes a rule, new or in place of the old one.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn put(tx: &Tx<'_>, name: &RuleName, rule: &Rule) -> Result<(), DbError> {
    remove(tx, name)?;
    let document = json(&Rule { name: None, ..rule.clone() })?;
    let mut statement = Query::insert();
    statement.into_table(Table).columns([Name, Document]);
    statement.values_panic([Expr::val(name.as_str()), Expr::val(document.as_str())]);
    tx.execute(&statement).map(drop)
}

/// Removes a rule; false when there is none.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn remove(tx: &Tx<'_>, name: &RuleName) -> Result<bool, DbError> {
    let mut statement = Query::delete();
    statement.from_table(Table).and_where(Expr::col(Name).eq(name.as_str()));
    Ok(tx.execute(&statement)? > 0)
}

/// How many there are.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn count(tx: &Tx<'_>) -> Result<u64, DbError> {
    let mut query = Query::select();
    query.expr(Expr::col(Name).count()).from(Table);
    tx.select_one(&query)?.map_or(Ok(0), |row| row.get(0))
}
