//! What goes wrong with a database.

use std::path::PathBuf;

/// A failed step, with its object.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// `[database] connection` makes no sense.
    #[error("[database] connection = {shown} is not a database: {why}")]
    Connection {
        /// Without its password.
        shown: String,
        /// What it should be.
        why: &'static str,
    },
    /// A database server that this build has no driver for.
    #[error("[database] connection: this build has no driver for {0}; use sqlite:////path/of/the/file")]
    NotBuiltIn(&'static str),
    /// The file or its folder.
    #[error("cannot open the database {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A row of that key is there already.
    #[error("a row of this key exists already")]
    Duplicate,
    /// Others held the database for longer than `busy_timeout`.
    #[error("the database is held by another program")]
    Busy,
    /// The disk of the database is full.
    #[error("no room left for the database")]
    Full,
    /// Any other failure of a statement.
    #[error("statement failed: {sql}")]
    Statement {
        /// Its first characters.
        sql: String,
        /// Why.
        source: rusqlite::Error,
    },
    /// A transaction does not begin or end.
    #[error("cannot {step} a transaction")]
    Transaction {
        /// `begin` or `commit`.
        step: &'static str,
        /// Why.
        source: rusqlite::Error,
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

    pub(super) fn of_statement(sql: &str, source: rusqlite::Error) -> Self {
        Self::known(&source).unwrap_or_else(|| Self::Statement { sql: sql.chars().take(200).collect(), source })
    }

    pub(super) fn of_transaction(step: &'static str, source: rusqlite::Error) -> Self {
        Self::known(&source).unwrap_or(Self::Transaction { step, source })
    }

    fn known(source: &rusqlite::Error) -> Option<Self> {
        use rusqlite::{ErrorCode, ffi};
        let code = source.sqlite_error()?;
        match (code.code, code.extended_code) {
            (_, ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => Some(Self::Duplicate),
            (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Some(Self::Busy),
            (ErrorCode::DiskFull, _) => Some(Self::Full),
            _ => None,
        }
    }
}
