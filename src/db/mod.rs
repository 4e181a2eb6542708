//! Database plumbing: connections, transactions, rows. SQL text stands in `catalogue::tables`.
//!
//! Work is a function over a [`Tx`] that runs, as one transaction, on a blocking thread:
//!
//! ```text
//! Db::write(work) ─→ the one writer ─→ BEGIN IMMEDIATE ─→ work(&Tx) ─→ COMMIT (or ROLLBACK on its error)
//! Db::read(work)  ─→ one of a few readers ─→ one snapshot ─→ work(&Tx)
//! ```
//!
//! That is SQLite; on a server, each takes a connection of a pool:
//!
//! ```text
//! Db::write(work) ─→ BEGIN (read committed) ─→ work(&Tx) ─→ COMMIT, or from the beginning after a deadlock or a lost connection
//! Db::read(work)  ─→ one snapshot, read only ─→ work(&Tx)
//! ```
//!
//! No lock reaches from one node of a Galera cluster to another: there [`Tx::is_in_cluster`] says so, and the tables see to
//! it that of two changes of the same thing one fails, and runs again.
//!
//! Statements are sea-query's values and rows are [`Row`]s, so a caller does not know which database it talks to.

mod address;
mod dialect;
mod error;
mod mysql;
mod pool;
mod postgres;
mod row;
#[cfg(test)]
#[path = "../../tests/it/support/database.rs"]
pub(crate) mod scratch;
mod server;
#[cfg(test)]
mod server_tests;
mod settings;
mod sqlite;
#[cfg(test)]
mod tests;
mod tls;
mod tx;

pub use address::{Address, Engine};
pub use dialect::Dialect;
pub use error::{DbError, Source};
pub use pool::Db;
pub use row::{Cell, FromCell, Row};
pub use settings::Settings;
pub use tx::Tx;
