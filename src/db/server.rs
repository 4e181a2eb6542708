//! Databases on a server: connections, and transactions that the server may break off.
//!
//! A transaction that the server broke off (a deadlock, a row that another node of the cluster changed, a connection that
//! is gone) is run again as a whole; one whose connection breaks while it commits is not, for nobody knows what became
//! of it.

use crate::db::{Address, DbError, Dialect, Row, Settings, Tx, mysql::Mysql, postgres::Postgres, tx::Inner};
use sea_query::Values;
use std::{cell::RefCell, time::Duration};
use tokio::runtime::Handle;

/// The time that the first repetition of a transaction waits; each further one waits twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// How a transaction is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// On one snapshot, without locks.
    Read,
    /// Each statement sees what was committed before it.
    Write,
    /// As [`Mode::Write`], with nobody else in this mode at the same time: for changes of the schema.
    Alone,
}

/// A connection; its methods wait.
pub(super) trait Link: Send {
    /// Statements that begin a transaction.
    fn begin(&mut self, mode: Mode) -> Result<(), DbError>;
    fn commit(&mut self, mode: Mode) -> Result<(), DbError>;
    /// Takes everything back; after an error the connection is of no use any more.
    fn rollback(&mut self, mode: Mode) -> Result<(), DbError>;
    fn select(&mut self, sql: &str, values: Values) -> Result<Vec<Row>, DbError>;
    fn execute(&mut self, sql: &str, values: Values) -> Result<u64, DbError>;
    fn script(&mut self, sql: &str) -> Result<(), DbError>;
    /// Makes that the connection is closed, not used again.
    fn give_up(&mut self);
    /// Whether it leads to a node of a Galera cluster.
    fn is_in_cluster(&self) -> bool {
        false
    }
}

/// Which server.
pub(super) enum Pool {
    Mysql(Mysql),
    Postgres(Postgres),
}

/// A server with its connections.
pub(super) struct Server {
    pool: Pool,
    settings: Settings,
}

/// A connection within a transaction.
pub(super) struct Session {
    link: RefCell<Box<dyn Link>>,
    dialect: Dialect,
    mode: Mode,
    open: bool,
}

/// What became of one run of a transaction.
enum Run<T, E> {
    Ended(Result<T, E>),
    Again(E),
}

// === impl Pool ===

impl Pool {
    /// A connection; one that was `tested` is known to have worked a moment ago.
    async fn acquire(&self, tested: bool) -> Result<Box<dyn Link>, DbError> {
        match self {
            Self::Mysql(pool) => pool.acquire(tested).await,
            Self::Postgres(pool) => pool.acquire(tested).await,
        }
    }

    fn dialect(&self) -> Dialect {
        match self {
            Self::Mysql(_) => Dialect::Mysql,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }
}

// === impl Server ===

impl Server {
    /// Connects nowhere yet. Within a runtime.
    pub(super) fn mysql(address: &Address, settings: &Settings) -> Result<Self, DbError> {
        Ok(Self { pool: Pool::Mysql(Mysql::new(address, settings)?), settings: settings.clone() })
    }

    /// Likewise.
    pub(super) fn postgres(address: &Address, settings: &Settings) -> Result<Self, DbError> {
        Ok(Self { pool: Pool::Postgres(Postgres::new(address, settings)?), settings: settings.clone() })
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.pool.dialect()
    }

    /// Waits until the server answers, as long as the settings say.
    pub(super) async fn reach(&self) -> Result<(), DbError> {
        let mut tried = 0;
        loop {
            let reached = match &self.pool {
                Pool::Mysql(pool) => pool.reach().await,
                Pool::Postgres(pool) => pool.reach().await,
            };
            match reached {
                Err(error @ DbError::Lost(_)) if self.settings.max_retries.is_none_or(|it| tried < it) => {
                    tried += 1;
                    let wait = self.settings.retry_interval;
                    tracing::warn!(error = %chain(&error), tried, ?wait, "the database does not answer yet");
                    tokio::time::sleep(wait).await;
                }
                other => return other,
            }
        }
    }

    /// Runs `work` as one transaction, again if the server asks for that.
    pub(super) async fn run<T, E, W>(&self, mode: Mode, mut work: W) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        W: Fn(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let mut tried = 0;
        loop {
            let error: E = match self.pool.acquire(tried > 0).await {
                Ok(link) => {
                    let session = Session { link: RefCell::new(link), dialect: self.dialect(), mode, open: false };
                    let task = tokio::task::spawn_blocking(move || (session.run(&work), work));
                    match task.await {
                        Ok((Run::Ended(outcome), _)) => return outcome,
                        Ok((Run::Again(error), same)) => {
                            work = same;
                            error
                        }
                        Err(_) => return Err(DbError::BrokeOff.into()),
                    }
                }
                Err(error @ DbError::Lost(_)) => error.into(),
                Err(error) => return Err(error.into()),
            };
            if tried >= self.settings.db_max_retries {
                return Err(error);
            }
            tokio::time::sleep(pause(tried, self.settings.db_retry_interval)).await;
            tried += 1;
            metrics::counter!("larder_database_transactions_repeated_total").increment(1);
        }
    }
}

/// Twice as long each time up to `longest`, and never the same for two who wait.
fn pause(tried: u32, longest: Duration) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << tried.min(16));
    doubled.min(longest.max(FIRST_PAUSE)).mul_f64(rand::random_range(0.5..1.5))
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    crate::base::chain(error).to_string()
}

// === impl Session ===

impl Session {
    fn run<T, E: From<DbError>>(mut self, work: impl Fn(&Tx<'_>) -> Result<T, E>) -> Run<T, E> {
        self.open = true;
        let begun = self.link.get_mut().begin(self.mode);
        if let Err(error) = begun {
            self.link.get_mut().give_up();
            return if is_passing(&error) { Run::Again(error.into()) } else { Run::Ended(Err(error.into())) };
        }
        let tx = Tx::new(Inner::Server(&self), self.mode != Mode::Read);
        let outcome = work(&tx);
        let (again, failed) = (tx.must_run_again(), tx.has_failed());
        match outcome {
            // Only MySQL goes on after a statement that failed; the work made up for it then.
            Ok(done) if !again && (!failed || self.dialect == Dialect::Mysql) => match self.end(true) {
                Ok(()) => Run::Ended(Ok(done)),
                // The server says that it took the transaction back.
                Err(error @ DbError::Contended) => Run::Again(error.into()),
                // A transaction that wrote nothing lost nothing.
                Err(_) if self.mode == Mode::Read => Run::Ended(Ok(done)),
                Err(DbError::Lost(source)) => Run::Ended(Err(DbError::Unknown(source).into())),
                Err(error) => Run::Ended(Err(error.into())),
            },
            Ok(_) => self.again_or(again, DbError::Contended.into()),
            Err(error) => self.again_or(again, error),
        }
    }

    fn again_or<T, E: From<DbError>>(&mut self, again: bool, error: E) -> Run<T, E> {
        // What cannot be taken back is taken back by the end of the connection.
        let _ = self.end(false);
        if again { Run::Again(error) } else { Run::Ended(Err(error)) }
    }

    fn end(&mut self, commit: bool) -> Result<(), DbError> {
        let link = self.link.get_mut();
        let ended = if commit { link.commit(self.mode) } else { link.rollback(self.mode) };
        if ended.is_err() {
            link.give_up();
        }
        self.open = false;
        ended
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) fn is_in_cluster(&self) -> bool {
        self.link.borrow().is_in_cluster()
    }

    pub(super) fn select(&self, sql: &str, values: Values) -> Result<Vec<Row>, DbError> {
        self.link.borrow_mut().select(sql, values)
    }

    pub(super) fn execute(&self, sql: &str, values: Values) -> Result<u64, DbError> {
        self.link.borrow_mut().execute(sql, values)
    }

    pub(super) fn script(&self, sql: &str) -> Result<(), DbError> {
        self.link.borrow_mut().script(sql)
    }
}

impl Drop for Session {
    /// After a panic of the work the connection is in the middle of something.
    fn drop(&mut self) {
        if self.open {
            self.link.get_mut().give_up();
        }
    }
}

fn is_passing(error: &DbError) -> bool {
    matches!(error, DbError::Contended | DbError::Lost(_))
}

/// Waits for a step on a connection, on a blocking thread. A server that says nothing for so long is taken for gone.
pub(super) fn wait<T>(runtime: &Handle, step: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    const LONGEST: Duration = Duration::from_secs(120);
    let timed = async {
        let silent = || sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer for 120 s"));
        tokio::time::timeout(LONGEST, step).await.unwrap_or_else(|_| Err(silent()))
    };
    runtime.block_on(timed)
}

/// An error that is of no statement's making: the connection is gone.
pub(super) fn is_gone(error: &sqlx::Error) -> bool {
    use sqlx::Error::{Io, PoolClosed, Protocol, Tls, WorkerCrashed};
    matches!(error, Io(_) | Tls(_) | Protocol(_) | PoolClosed | WorkerCrashed)
}
