//! Which database, and how much of it.

use crate::db::{DbError, Engine};
use std::{fmt, time::Duration};

/// The section `[database]`; names and defaults are oslo.db's.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// `connection`, as SQLAlchemy writes it: `sqlite:////path/of/the/file`, `mysql+pymysql://user:password@host/database`.
    pub connection: String,
    /// SQLite: how many transactions read at a time.
    pub readers: usize,
    /// SQLite: how long a transaction waits for another program.
    pub busy_timeout: Duration,
    /// `max_pool_size`: connections to a server that are kept; with those of `max_overflow` the most there are.
    pub max_pool_size: u32,
    /// `max_overflow`
    pub max_overflow: u32,
    /// `pool_timeout`: how long a transaction waits for a connection.
    pub pool_timeout: Duration,
    /// `connection_recycle_time`: how old a connection gets.
    pub connection_recycle_time: Duration,
    /// `max_retries`: how often a server is tried again at the start; none for ever (-1 in the file).
    pub max_retries: Option<u64>,
    /// `retry_interval`: the time between these.
    pub retry_interval: Duration,
    /// `db_max_retries`: how often a transaction that the server broke off is tried again.
    pub db_max_retries: u32,
    /// `db_retry_interval`: the longest time between these; the first ones follow faster.
    pub db_retry_interval: Duration,
    /// `mysql_sql_mode`; empty for the server's own.
    pub mysql_sql_mode: String,
    /// `mysql_wsrep_sync_wait`: on a Galera node, what waits until the node has caught up with the others (a sum: 1 reads,
    /// 2 changes, 4 inserts); none for the server's own. Glance's default is none, so that there is a 404 on one node for
    /// what was just made on another.
    pub mysql_wsrep_sync_wait: Option<u64>,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            connection: "sqlite:////var/lib/larder/catalogue.sqlite".to_owned(),
            readers: 4,
            busy_timeout: Duration::from_secs(10),
            max_pool_size: 5,
            max_overflow: 50,
            pool_timeout: Duration::from_secs(30),
            connection_recycle_time: Duration::from_secs(3600),
            max_retries: Some(10),
            retry_interval: Duration::from_secs(10),
            db_max_retries: 20,
            db_retry_interval: Duration::from_secs(1),
            mysql_sql_mode: "TRADITIONAL".to_owned(),
            mysql_wsrep_sync_wait: Some(1),
        }
    }
}

impl Settings {
    /// A database in this file.
    pub fn sqlite(file: &std::path::Path) -> Self {
        Self { connection: format!("sqlite:///{}", file.display()), ..Self::default() }
    }

    /// Where the connection string leads to.
    ///
    /// # Errors
    /// [`DbError::Connection`].
    pub fn engine(&self) -> Result<Engine, DbError> {
        Engine::parse(&self.connection)
    }

    /// The most connections that there are to a server at the same time.
    pub(super) fn connections(&self) -> u32 {
        self.max_pool_size.saturating_add(self.max_overflow).clamp(1, 1000)
    }
}

/// Without the password in the connection string.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("engine", &self.engine()).finish_non_exhaustive()
    }
}
