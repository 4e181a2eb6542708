//! A transaction.

use crate::db::{DbError, Row, sqlite};
use sea_query::{QueryStatementWriter, SelectStatement, SqliteQueryBuilder};

/// A running transaction. It lives on a blocking thread: its methods wait.
pub struct Tx<'a>(pub(super) Inner<'a>);

/// The driver of a transaction.
pub(super) enum Inner<'a> {
    Sqlite(&'a rusqlite::Connection),
}

// === impl Tx ===

impl Tx<'_> {
    /// The rows of a query.
    ///
    /// # Errors
    /// [`DbError`] of the statement.
    pub fn select(&self, query: &SelectStatement) -> Result<Vec<Row>, DbError> {
        match &self.0 {
            Inner::Sqlite(connection) => {
                let (sql, values) = query.build(SqliteQueryBuilder);
                sqlite::select(connection, &sql, values)
            }
        }
    }

    /// The first row of a query, if there is one.
    ///
    /// # Errors
    /// [`DbError`] of the statement.
    pub fn select_one(&self, query: &SelectStatement) -> Result<Option<Row>, DbError> {
        Ok(self.select(query)?.into_iter().next())
    }

    /// Runs an insert, update or delete; how many rows it touched.
    ///
    /// # Errors
    /// [`DbError::Duplicate`] when a key is taken, and others of the statement.
    pub fn execute(&self, statement: &impl QueryStatementWriter) -> Result<u64, DbError> {
        match &self.0 {
            Inner::Sqlite(connection) => {
                let (sql, values) = statement.build(SqliteQueryBuilder);
                sqlite::execute(connection, &sql, values)
            }
        }
    }

    /// Runs statements written for this engine, as schemas are.
    ///
    /// # Errors
    /// [`DbError`] of the first that fails.
    pub fn script(&self, sql: &str) -> Result<(), DbError> {
        match &self.0 {
            Inner::Sqlite(connection) => {
                connection.execute_batch(sql).map_err(|source| DbError::of_statement(sql, source))
            }
        }
    }
}
