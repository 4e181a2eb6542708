//! A transaction.

use crate::db::{DbError, Dialect, Row, server, sqlite};
use sea_query::{
    MysqlQueryBuilder, PostgresQueryBuilder, QueryStatementWriter, SelectStatement, SqliteQueryBuilder, Values,
};
use std::cell::Cell;

/// A running transaction. It lives on a blocking thread: its methods wait.
pub struct Tx<'a> {
    inner: Inner<'a>,
    writes: bool,
    /// The transaction has to run again, whatever became of its work.
    again: Cell<bool>,
    /// A statement failed.
    failed: Cell<bool>,
    #[cfg(test)]
    statements: Cell<usize>,
    #[cfg(test)]
    time: Option<i64>,
}

/// The driver of a transaction.
pub(super) enum Inner<'a> {
    Sqlite(&'a rusqlite::Connection),
    Server(&'a server::Session),
}

// === impl Tx ===

impl<'a> Tx<'a> {
    pub(super) fn new(inner: Inner<'a>, writes: bool) -> Self {
        Self {
            inner,
            writes,
            again: Cell::new(false),
            failed: Cell::new(false),
            #[cfg(test)]
            statements: Cell::new(0),
            #[cfg(test)]
            time: None,
        }
    }

    /// By another clock than the database's.
    #[cfg(test)]
    pub(super) fn at(self, time: Option<i64>) -> Self {
        Self { time, ..self }
    }

    /// The time of that clock, in seconds since 1970.
    #[cfg(test)]
    pub(crate) fn time(&self) -> Option<i64> {
        self.time
    }

    /// How many statements have been run.
    #[cfg(test)]
    pub(crate) fn statements(&self) -> usize {
        self.statements.get()
    }

    pub(super) fn must_run_again(&self) -> bool {
        self.again.get()
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.get()
    }
}

impl Tx<'_> {
    /// Which SQL it speaks.
    pub fn dialect(&self) -> Dialect {
        match &self.inner {
            Inner::Sqlite(_) => Dialect::Sqlite,
            Inner::Server(session) => session.dialect(),
        }
    }

    /// Whether the database is a node of a Galera cluster: no lock keeps the other nodes' transactions out.
    pub fn is_in_cluster(&self) -> bool {
        match &self.inner {
            Inner::Sqlite(_) => false,
            Inner::Server(session) => session.is_in_cluster(),
        }
    }

    /// Whether it may write.
    pub fn writes(&self) -> bool {
        self.writes
    }

    /// The rows of a query.
    ///
    /// # Errors
    /// [`DbError`] of the statement.
    pub fn select(&self, query: &SelectStatement) -> Result<Vec<Row>, DbError> {
        let (sql, values) = self.build(query);
        match &self.inner {
            Inner::Sqlite(connection) => sqlite::select(connection, &sql, values),
            Inner::Server(session) => self.judged(session.select(&sql, values)),
        }
    }

    /// The first row of a query, if there is one.
    ///
    /// # Errors
    /// [`DbError`] of the statement.
    pub fn select_one(&self, query: &SelectStatement) -> Result<Option<Row>, DbError> {
        Ok(self.select(query)?.into_iter().next())
    }

    /// The first row of a query; when the transaction writes, nobody else changes that row until its end. (On the other
    /// nodes of a Galera cluster others may.)
    ///
    /// # Errors
    /// [`DbError`] of the statement.
    pub fn select_to_change(&self, query: &mut SelectStatement) -> Result<Option<Row>, DbError> {
        if self.writes {
            query.lock_exclusive();
        }
        self.select_one(query)
    }

    /// Runs an insert, update or delete; how many rows it found.
    ///
    /// # Errors
    /// [`DbError::Duplicate`] when a key is taken, and others of the statement. PostgreSQL takes no further statement
    /// after a failed one: the work has to end with an error then.
    pub fn execute(&self, statement: &impl QueryStatementWriter) -> Result<u64, DbError> {
        let (sql, values) = self.build(statement);
        match &self.inner {
            Inner::Sqlite(connection) => sqlite::execute(connection, &sql, values),
            Inner::Server(session) => self.judged(session.execute(&sql, values)),
        }
    }

    /// Runs statements written for this engine, as schemas are.
    ///
    /// # Errors
    /// [`DbError`] of the first that fails.
    pub fn script(&self, sql: &str) -> Result<(), DbError> {
        match &self.inner {
            Inner::Sqlite(connection) => sqlite::script(connection, sql),
            Inner::Server(session) => self.judged(session.script(sql)),
        }
    }

    /// What was read is no longer so: the transaction is taken back and its work runs again, a bounded number of times.
    pub fn conflict(&self) -> DbError {
        self.again.set(true);
        DbError::Contended
    }

    fn build(&self, statement: &impl QueryStatementWriter) -> (String, Values) {
        #[cfg(test)]
        self.statements.set(self.statements.get() + 1);
        match self.dialect() {
            Dialect::Sqlite => statement.build(SqliteQueryBuilder),
            Dialect::Mysql => statement.build(MysqlQueryBuilder),
            Dialect::Postgres => statement.build(PostgresQueryBuilder),
        }
    }

    fn judged<T>(&self, outcome: Result<T, DbError>) -> Result<T, DbError> {
        if let Err(error) = &outcome {
            self.failed.set(true);
            if matches!(error, DbError::Contended | DbError::Lost(_)) {
                self.again.set(true);
            }
        }
        outcome
    }
}
