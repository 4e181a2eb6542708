//! The database's clock: all processes of a site go by it, whatever their own say.

use crate::db::{DbError, Dialect, Tx};
use chrono::{DateTime, Utc};
use sea_query::{Expr, Query};

/// Now, in seconds since 1970.
pub(super) fn seconds(tx: &Tx<'_>) -> Expr {
    #[cfg(test)]
    if let Some(time) = tx.time() {
        return Expr::val(time);
    }
    Expr::cust(match tx.dialect() {
        Dialect::Sqlite => "CAST(strftime('%s', 'now') AS INTEGER)",
        Dialect::Mysql => "CAST(UNIX_TIMESTAMP() AS SIGNED)",
        Dialect::Postgres => "CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp())) AS BIGINT)",
    })
}

/// The same, read.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn now(tx: &Tx<'_>) -> Result<i64, DbError> {
    tx.select_one(Query::select().expr(seconds(tx)))?.ok_or(DbError::BrokeOff)?.get(0)
}

/// A time of these tables.
pub(super) fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}
