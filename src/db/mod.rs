//! Database plumbing: connections, transactions, rows. SQL text stands in `catalogue::tables`.
//!
//! Work is a function over a [`Tx`] that runs, as one transaction, on a blocking thread:
//!
//! ```text
//! Db::write(work) ─→ the one writer ─→ BEGIN IMMEDIATE ─→ work(&Tx) ─→ COMMIT (or ROLLBACK on its error)
//! Db::read(work)  ─→ one of a few readers ─→ one snapshot ─→ work(&Tx)
//! ```
//!
//! Statements are sea-query's values and rows are [`Row`]s, so a caller does not know which database it talks to.

mod error;
mod pool;
mod row;
mod settings;
mod sqlite;
#[cfg(test)]
mod tests;
mod tx;

pub use error::DbError;
pub use pool::Db;
pub use row::{Cell, FromCell, Row};
pub use settings::{Engine, Settings};
pub use tx::Tx;
