//! What goes wrong with a database.

use std::{borrow::Cow, error::Error, path::PathBuf};

/// What a driver says.
pub type Source = Box<dyn Error + Send + Sync>;

/// A failed step, with its object.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// `[database] connection` makes no sense.
    #[error("[database] connection = {shown} is not a database: {why}")]
    Connection {
        /// Without its password.
        shown: String,
        /// What it should be.
        why: Cow<'static, str>,
    },
    /// The file or its folder.
    #[error("cannot open the database {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// No connection to the server can be had.
    #[error("cannot connect to the database {at}")]
    Unreachable {
        /// `host:port/database`.
        at: String,
        /// Why.
        source: Source,
    },
    /// A server is there, and there is no encrypted connection to it.
    #[error("no TLS with the database {at}: {why}")]
    Tls {
        /// `host:port/database`.
        at: String,
        /// What is wrong, and which option of `[database] connection` says so.
        why: String,
        /// Of the handshake.
        source: Source,
    },
    /// A connection broke, or its server stops; nothing was changed.
    #[error("the connection to the database broke")]
    Lost(#[source] Source),
    /// A connection broke while a transaction was ending.
    #[error("the connection to the database broke while a change was being written: look whether it was made")]
    Unknown(#[source] Source),
    /// A row of that key is there already.
    #[error("a row of this key exists already")]
    Duplicate,
    /// Others held the database, or the rows, for too long.
    #[error("the database is held by another program")]
    Busy,
    /// Others changed the same rows at the same time.
    #[error("others changed the same rows at the same time")]
    Contended,
    /// The disk of the database is full.
    #[error("no room left for the database")]
    Full,
    /// A text has characters that the database does not take.
    #[error("a text has characters that the database does not take")]
    Characters,
    /// A value does not fit its column.
    #[error("a value does not fit the database's column")]
    TooLarge,
    /// Any other failure of a statement.
    #[error("statement failed: {sql}")]
    Statement {
        /// Its first characters.
        sql: String,
        /// Why.
        source: Source,
    },
    /// A transaction does not begin or end.
    #[error("cannot {step} a transaction")]
    Transaction {
        /// `begin` or `commit`.
        step: &'static str,
        /// Why.
        source: Source,
    },
    /// A column holds something else than the program expects.
    #[error("column {column} holds {found}, not {expected}")]
    Column {
        /// Its place in the statement, from 0.
        column: usize,
        /// What is there.
        found: String,
        /// What should be.
        expected: &'static str,
    },
    /// The thread of a transaction ended without an answer.
    #[error("the work on the database broke off")]
    BrokeOff,
}

// === impl DbError ===

impl DbError {
    /// The row was there already.
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::Duplicate)
    }

    pub(super) fn of_statement(sql: &str, source: impl Into<Source>) -> Self {
        Self::Statement { sql: sql.chars().take(200).collect(), source: source.into() }
    }
}
