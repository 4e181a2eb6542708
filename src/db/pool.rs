//! The connections of a database.

use crate::db::{
    DbError, Dialect, Engine, Settings, Tx,
    server::{Mode, Server},
    sqlite,
    tx::Inner,
};
use rusqlite::{Connection, TransactionBehavior};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

/// A database; clones share its connections.
#[derive(Clone)]
pub struct Db {
    driver: Driver,
}

#[derive(Clone)]
enum Driver {
    Sqlite(Arc<Shared>),
    Server(Arc<Server>),
}

/// The connections to a file.
struct Shared {
    /// The one connection that writes; whoever waits, waits in a fair queue.
    writer: Arc<tokio::sync::Mutex<Connection>>,
    /// As many permits as connections in `readers`.
    reading: Semaphore,
    readers: Mutex<Vec<Connection>>,
    /// The time that transactions go by, where a test says so; 0 where it does not.
    #[cfg(test)]
    time: std::sync::atomic::AtomicI64,
}

// === impl Db ===

impl Db {
    /// Opens the database of the settings, and makes it if it is a file that is not there. Waits for the disk; a server
    /// is not asked yet. Within a runtime.
    ///
    /// # Errors
    /// [`DbError`] when the settings lead nowhere or the file cannot be opened.
    pub fn open(settings: &Settings) -> Result<Self, DbError> {
        let path = match settings.engine()? {
            Engine::Sqlite(path) => path,
            Engine::Mysql(address) => return Ok(Self::on(Server::mysql(&address, settings)?)),
            Engine::Postgres(address) => return Ok(Self::on(Server::postgres(&address, settings)?)),
        };
        let writer = sqlite::open_writer(&path, settings)?;
        let count = settings.readers.clamp(1, 64);
        let readers = (0..count).map(|_| sqlite::open_reader(&path, settings)).collect::<Result<Vec<_>, _>>()?;
        let shared = Shared {
            writer: Arc::new(tokio::sync::Mutex::new(writer)),
            reading: Semaphore::new(count),
            readers: Mutex::new(readers),
            #[cfg(test)]
            time: std::sync::atomic::AtomicI64::new(0),
        };
        Ok(Self { driver: Driver::Sqlite(Arc::new(shared)) })
    }

    fn on(server: Server) -> Self {
        Self { driver: Driver::Server(Arc::new(server)) }
    }

    /// Has the tables go by another clock, in seconds since 1970. SQLite only.
    #[cfg(test)]
    pub(crate) fn set_time(&self, seconds: i64) {
        if let Driver::Sqlite(shared) = &self.driver {
            shared.time.store(seconds, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Which SQL it speaks.
    pub fn dialect(&self) -> Dialect {
        match &self.driver {
            Driver::Sqlite(_) => Dialect::Sqlite,
            Driver::Server(server) => server.dialect(),
        }
    }

    /// Waits until the database's server answers, `max_retries` times `retry_interval` at the most.
    ///
    /// # Errors
    /// [`DbError::Unreachable`], [`DbError::Lost`].
    pub async fn reach(&self) -> Result<(), DbError> {
        match &self.driver {
            Driver::Sqlite(_) => Ok(()),
            Driver::Server(server) => server.reach().await,
        }
    }

    /// Runs `work` as one transaction that may write. Its error takes back all that it did. Once begun it goes on to
    /// the end even if the caller stops waiting. It may run again when the database asks for that.
    ///
    /// # Errors
    /// That of `work`, or [`DbError`] when the transaction does not begin or end. After [`DbError::Unknown`] nobody
    /// knows whether it was done.
    pub async fn write<T, E, W>(&self, work: W) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        W: Fn(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        match &self.driver {
            Driver::Sqlite(shared) => write(shared, work).await,
            Driver::Server(server) => server.run(Mode::Write, work).await,
        }
    }

    /// Runs `work` on one snapshot.
    ///
    /// # Errors
    /// That of `work`, or [`DbError`] when the transaction does not begin.
    pub async fn read<T, E, W>(&self, work: W) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        W: Fn(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        match &self.driver {
            Driver::Sqlite(shared) => read(shared, work).await,
            Driver::Server(server) => server.run(Mode::Read, work).await,
        }
    }

    /// As [`Db::write`], with no other call of this kind under way on the database: for changes of the schema, which
    /// MySQL does not take back. (Of a Galera cluster: on the same node.)
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn alone<T, E, W>(&self, work: W) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        W: Fn(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        match &self.driver {
            Driver::Sqlite(shared) => write(shared, work).await,
            Driver::Server(server) => server.run(Mode::Alone, work).await,
        }
    }
}

async fn write<T, E, W>(shared: &Arc<Shared>, work: W) -> Result<T, E>
where
    T: Send + 'static,
    E: From<DbError> + Send + 'static,
    W: Fn(&Tx<'_>) -> Result<T, E> + Send + 'static,
{
    let mut writer = Arc::clone(&shared.writer).lock_owned().await;
    #[cfg(test)]
    let time = shared.time();
    let task = tokio::task::spawn_blocking(move || {
        let transaction = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|source| sqlite::of_transaction("begin", source))?;
        // Dropped without a commit, it rolls back: on an error and on a panic.
        let tx = Tx::new(Inner::Sqlite(&transaction), true);
        #[cfg(test)]
        let tx = tx.at(time);
        let done = work(&tx)?;
        transaction.commit().map_err(|source| sqlite::of_transaction("commit", source))?;
        Ok(done)
    });
    task.await.unwrap_or_else(|_| Err(DbError::BrokeOff.into()))
}

async fn read<T, E, W>(shared: &Arc<Shared>, work: W) -> Result<T, E>
where
    T: Send + 'static,
    E: From<DbError> + Send + 'static,
    W: Fn(&Tx<'_>) -> Result<T, E> + Send + 'static,
{
    // The permit stays with the thread: a caller that stops waiting frees no connection that is in use.
    let permit = shared.reading.acquire().await.map_err(|_| DbError::BrokeOff)?;
    permit.forget();
    let lent = Lent::take(Arc::clone(shared))?;
    let task = tokio::task::spawn_blocking(move || lent.run(work));
    task.await.unwrap_or_else(|_| Err(DbError::BrokeOff.into()))
}

/// A reader taken from the pool; it goes back when this is dropped.
struct Lent {
    shared: Arc<Shared>,
    connection: Option<Connection>,
}

impl Lent {
    /// The caller holds a permit, so there is one.
    fn take(shared: Arc<Shared>) -> Result<Self, DbError> {
        let connection = lock(&shared.readers).pop();
        let lent = Self { shared, connection };
        if lent.connection.is_some() { Ok(lent) } else { Err(DbError::BrokeOff) }
    }

    fn run<T, E: From<DbError>>(mut self, work: impl Fn(&Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        let connection = self.connection.as_mut().ok_or(DbError::BrokeOff)?;
        let snapshot = connection.transaction().map_err(|source| sqlite::of_transaction("begin", source))?;
        let tx = Tx::new(Inner::Sqlite(&snapshot), false);
        #[cfg(test)]
        let tx = tx.at(self.shared.time());
        work(&tx)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            lock(&self.shared.readers).push(connection);
            self.shared.reading.add_permits(1);
        }
    }
}

#[cfg(test)]
impl Shared {
    fn time(&self) -> Option<i64> {
        Some(self.time.load(std::sync::atomic::Ordering::Relaxed)).filter(|it| *it != 0)
    }
}

fn lock(readers: &Mutex<Vec<Connection>>) -> MutexGuard<'_, Vec<Connection>> {
    readers.lock().unwrap_or_else(PoisonError::into_inner)
}
