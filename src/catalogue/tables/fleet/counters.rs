//! The table `larder_counters`. Whoever changes a counter keeps others from it until its transaction ends.

use super::names::LarderCounters::{Name, Table, Value};
use crate::db::{DbError, Tx};
use sea_query::{Expr, ExprTrait, Query};

/// Which counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    /// The last place of the feed that was given.
    Feed,
    /// The last place of the feed that was pruned.
    Pruned,
    /// The version of the rules.
    Rules,
}

/// A counter's value; 0 before it was ever set.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn get(tx: &Tx<'_>, counter: Counter) -> Result<u64, DbError> {
    let mut query = Query::select();
    query.column(Value).from(Table).and_where(Expr::col(Name).eq(counter.as_str()));
    tx.select_one(&query)?.map_or(Ok(0), |row| row.get(0))
}

/// The same; until the end of the transaction nobody else gets it by this way.
///
/// # Errors
/// [`DbError`] of the statements; the transaction runs again when another one has just made the counter.
pub(crate) fn hold(tx: &Tx<'_>, counter: Counter) -> Result<u64, DbError> {
    let mut query = Query::select();
    query.column(Value).from(Table).and_where(Expr::col(Name).eq(counter.as_str()));
    if let Some(row) = tx.select_to_change(&mut query)? {
        return row.get(0);
    }
    let mut statement = Query::insert();
    statement.into_table(Table).columns([Name, Value]).values_panic([Expr::val(counter.as_str()), Expr::val(0_i64)]);
    match tx.execute(&statement) {
        Err(DbError::Duplicate) => Err(tx.conflict()),
        other => other.map(|_| 0),
    }
}

/// Sets a counter that is held.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn set(tx: &Tx<'_>, counter: Counter, value: u64) -> Result<(), DbError> {
    let mut statement = Query::update();
    statement.table(Table).value(Value, value).and_where(Expr::col(Name).eq(counter.as_str()));
    tx.execute(&statement).map(drop)
}

// === impl Counter ===

impl Counter {
    fn as_str(self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::Pruned => "pruned",
            Self::Rules => "rules",
        }
    }
}
