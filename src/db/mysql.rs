//! MySQL and MariaDB.

mod text;

use crate::db::{
    Address, Cell, DbError, Row, Settings,
    server::{Link, Mode, is_gone, wait},
    tls::{self, Words},
};
use chrono::{NaiveDateTime, Timelike};
use sea_query::{Value, Values};
use sqlx::{
    Arguments, AssertSqlSafe, Column, ConnectOptions, Connection, Executor, MySql, MySqlConnection, Row as _, TypeInfo,
    ValueRef,
    mysql::{MySqlArguments, MySqlConnectOptions, MySqlDatabaseError, MySqlPoolOptions, MySqlRow, MySqlSslMode},
    pool::PoolConnection,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::runtime::Handle;

/// The name of the lock that changes of the schema hold; a server has one set of such names for all its databases.
const LOCK: &str = "LEFT(CONCAT('larder.', DATABASE()), 64)";

/// The options of a connection string that mean something here, or nothing to anybody.
const OPTIONS: [&str; 12] = [
    "charset",
    "database",
    "ssl_ca",
    "ssl_cert",
    "ssl_check_hostname",
    "ssl_disabled",
    "ssl_key",
    "ssl_mode",
    "ssl_verify_cert",
    "ssl_verify_identity",
    "unix_socket",
    "use_unicode",
];

/// A server with its connections.
pub(super) struct Mysql {
    pool: sqlx::MySqlPool,
    options: MySqlConnectOptions,
    setup: Arc<Setup>,
    tls: Words,
    at: String,
}

/// What each new connection is told first.
struct Setup {
    always: String,
    /// On a node of a Galera cluster.
    in_cluster: String,
    /// Whether the newest connection leads to such a node.
    is_in_cluster: AtomicBool,
}

struct Connected {
    connection: PoolConnection<MySql>,
    runtime: Handle,
    is_in_cluster: bool,
}

// === impl Mysql ===

impl Mysql {
    pub(super) fn new(address: &Address, settings: &Settings) -> Result<Self, DbError> {
        let options = options(address)?;
        let setup = Arc::new(Setup::new(settings));
        let each = Arc::clone(&setup);
        let pool = MySqlPoolOptions::new()
            .max_connections(settings.connections())
            .min_connections(0)
            .acquire_timeout(settings.pool_timeout)
            .max_lifetime(settings.connection_recycle_time)
            // A transaction that meets a dead connection runs again on one that is tested.
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                let setup = Arc::clone(&each);
                Box::pin(async move { setup.prepare(connection).await })
            })
            .connect_lazy_with(options.clone());
        Ok(Self { pool, options, setup, tls: words(address), at: address.to_string() })
    }

    pub(super) async fn acquire(&self, tested: bool) -> Result<Box<dyn Link>, DbError> {
        loop {
            let mut connection = self.pool.acquire().await.map_err(|error| self.unreachable(error))?;
            if tested && connection.ping().await.is_err() {
                connection.close_on_drop();
                continue;
            }
            let is_in_cluster = self.setup.is_in_cluster.load(Ordering::Relaxed);
            return Ok(Box::new(Connected { connection, runtime: Handle::current(), is_in_cluster }));
        }
    }

    /// Connects once, to see whether and why not.
    pub(super) async fn reach(&self) -> Result<(), DbError> {
        let mut connection = self.options.connect().await.map_err(|error| self.unreachable(error))?;
        let set = self.setup.prepare(&mut connection).await;
        set.map_err(|error| DbError::Unreachable { at: self.at.clone(), source: error.into() })?;
        // It said all that it was asked for.
        let _ = connection.close().await;
        Ok(())
    }

    fn unreachable(&self, error: sqlx::Error) -> DbError {
        match number(&error) {
            Some(3159) => DbError::Tls {
                at: self.at.clone(),
                why: "the server takes encrypted connections only: add ssl_ca=/path/of/its/authority.pem to the options of \
                      [database] connection"
                    .to_owned(),
                source: error.into(),
            },
            // MariaDB says no more of it than that.
            Some(1045) if self.tls.asked.is_none() => DbError::Unreachable {
                at: self.at.clone(),
                source: format!("{error} (an account or a server that takes encrypted connections only says this, too: then add ssl_ca=/path/of/its/authority.pem to the options of [database] connection)").into(),
            },
            // Too many connections; the server stops; a cluster's node is not ready.
            Some(1040 | 1053 | 1047 | 1077 | 1203) => DbError::Lost(error.into()),
            _ => match self.tls.judge(&self.at, error) {
                Ok(failure) => failure,
                Err(error) if is_gone(&error) => DbError::Lost(self.named(error)),
                Err(error) => DbError::Unreachable { at: self.at.clone(), source: error.into() },
            },
        }
    }

    fn named(&self, error: sqlx::Error) -> crate::db::Source {
        format!("{}: {error}", self.at).into()
    }
}

fn options(address: &Address) -> Result<MySqlConnectOptions, DbError> {
    tls::check_names(address, &OPTIONS).and_then(|()| words(address).check_files(address)).map_err(wrong)?;
    let mut options = MySqlConnectOptions::new()
        .host(address.host.as_deref().unwrap_or("localhost"))
        .port(address.port.unwrap_or(3306))
        .database(&address.database)
        .username(address.user.as_deref().unwrap_or("root"))
        .charset("utf8mb4")
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .ssl_mode(ssl_mode(address)?)
        .statement_cache_capacity(64)
        .disable_statement_logging();
    if let Some(password) = &address.password {
        options = options.password(password);
    }
    if let Some(socket) = address.option("unix_socket") {
        options = options.socket(socket);
    }
    if let Some(file) = address.option("ssl_ca") {
        options = options.ssl_ca(file);
    }
    if let Some(file) = address.option("ssl_cert") {
        options = options.ssl_client_cert(file);
    }
    if let Some(file) = address.option("ssl_key") {
        options = options.ssl_client_key(file);
    }
    Ok(options)
}

/// As PyMySQL has it: no TLS unless something of it is configured; with a CA, certificate and name are verified.
fn ssl_mode(address: &Address) -> Result<MySqlSslMode, DbError> {
    if let Some(mode) = address.option("ssl_mode") {
        let why = "its ssl_mode is not DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY";
        return mode.parse().map_err(|_| wrong(why));
    }
    let off = |name| address.flag(name) == Some(false);
    let configured = ["ssl_cert", "ssl_key", "ssl_verify_cert", "ssl_verify_identity"];
    Ok(if address.flag("ssl_disabled") == Some(true) {
        MySqlSslMode::Disabled
    } else if address.option("ssl_ca").is_some() && !off("ssl_verify_cert") {
        let by_name = !off("ssl_check_hostname") && !off("ssl_verify_identity");
        if by_name { MySqlSslMode::VerifyIdentity } else { MySqlSslMode::VerifyCa }
    } else if address.option("ssl_ca").is_some() || configured.iter().any(|it| address.option(it).is_some()) {
        MySqlSslMode::Required
    } else {
        MySqlSslMode::Disabled
    })
}

fn words(address: &Address) -> Words {
    let asked = ["ssl_mode", "ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_cert", "ssl_verify_identity"]
        .iter()
        .find_map(|name| address.option(name).map(|value| format!("{name}={value}")));
    Words {
        asked,
        authority: ("ssl_ca", address.option("ssl_ca").map(str::to_owned)),
        client: ["ssl_cert", "ssl_key"],
        any_name: "ssl_check_hostname=false",
    }
}

fn wrong(why: impl Into<std::borrow::Cow<'static, str>>) -> DbError {
    DbError::Connection { shown: "mysql://…".to_owned(), why: why.into() }
}

/// Now and then a wait for a lock on a Galera node is not ended by what another node has committed. It blocks all that
/// waits for this lock, for 50 s by default; a transaction that is begun anew gets it at once.
const LOCK_WAIT: &str = "SET SESSION innodb_lock_wait_timeout = LEAST(@@innodb_lock_wait_timeout, 5);";

// === impl Setup ===

impl Setup {
    fn new(settings: &Settings) -> Self {
        let mut always = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;".to_owned();
        let mode: String =
            settings.mysql_sql_mode.chars().filter(|it| it.is_ascii_alphanumeric() || "_,".contains(*it)).collect();
        if !mode.is_empty() {
            always += &format!("SET SESSION sql_mode = '{mode}';");
        }
        let mut in_cluster = LOCK_WAIT.to_owned();
        if let Some(wait) = settings.mysql_wsrep_sync_wait {
            in_cluster += &format!("SET SESSION wsrep_sync_wait = {wait};");
        }
        Self { always, in_cluster, is_in_cluster: AtomicBool::new(false) }
    }

    async fn prepare(&self, connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        // A server that was built without Galera has no such variable.
        let found = connection.fetch_optional(sqlx::raw_sql("SHOW VARIABLES LIKE 'wsrep_on'")).await?;
        let is_on = found.map(|row| row.try_get_unchecked::<String, _>(1)).transpose()?;
        let is_in_cluster = is_on.is_some_and(|it| it.eq_ignore_ascii_case("on"));
        let more = if is_in_cluster { self.in_cluster.as_str() } else { "" };
        let all = format!("{}{more}", self.always);
        connection.execute(sqlx::raw_sql(AssertSqlSafe(all))).await?;
        self.is_in_cluster.store(is_in_cluster, Ordering::Relaxed);
        Ok(())
    }
}

// === impl Connected ===

impl Connected {
    fn text(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        let step = (&mut *self.connection).execute(sqlx::raw_sql(AssertSqlSafe(sql)));
        wait(&self.runtime, step).map(drop)
    }

    fn step(&mut self, step: &'static str, sql: &str) -> Result<(), DbError> {
        self.text(sql).map_err(|error| {
            known(&error).unwrap_or_else(|| passing(error, |source| DbError::Transaction { step, source }))
        })
    }

    fn unlock(&mut self, mode: Mode) -> Result<(), DbError> {
        if mode == Mode::Alone { self.step("end", &format!("DO RELEASE_LOCK({LOCK})")) } else { Ok(()) }
    }
}

impl Link for Connected {
    fn begin(&mut self, mode: Mode) -> Result<(), DbError> {
        if mode == Mode::Alone {
            let sql = format!("SELECT GET_LOCK({LOCK}, 60)");
            let got = self.select(&sql, Values(Vec::new()))?;
            if got.first().map(|row| row.get::<Option<i64>>(0)).transpose()?.flatten() != Some(1) {
                return Err(DbError::Busy);
            }
        }
        let sql = match mode {
            Mode::Read => "START TRANSACTION READ ONLY",
            Mode::Write | Mode::Alone => "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION",
        };
        self.step("begin", sql)
    }

    fn commit(&mut self, mode: Mode) -> Result<(), DbError> {
        self.step("commit", "COMMIT")?;
        self.unlock(mode)
    }

    fn rollback(&mut self, mode: Mode) -> Result<(), DbError> {
        self.step("roll back", "ROLLBACK")?;
        self.unlock(mode)
    }

    fn select(&mut self, sql: &str, values: Values) -> Result<Vec<Row>, DbError> {
        if self.is_in_cluster {
            let text = text::of(sql, values)?;
            let step = (&mut *self.connection).fetch_all(sqlx::raw_sql(AssertSqlSafe(text)));
            let rows = wait(&self.runtime, step).map_err(|error| of(sql, error))?;
            return rows.iter().map(|it| row(it).map_err(|error| of(sql, error))).collect();
        }
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments(values).map_err(|error| of(sql, error))?);
        let rows = wait(&self.runtime, query.fetch_all(&mut *self.connection)).map_err(|error| of(sql, error))?;
        rows.iter().map(|it| row(it).map_err(|error| of(sql, error))).collect()
    }

    fn execute(&mut self, sql: &str, values: Values) -> Result<u64, DbError> {
        if self.is_in_cluster {
            let text = text::of(sql, values)?;
            let step = (&mut *self.connection).execute(sqlx::raw_sql(AssertSqlSafe(text)));
            return Ok(wait(&self.runtime, step).map_err(|error| of(sql, error))?.rows_affected());
        }
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments(values).map_err(|error| of(sql, error))?);
        let done = wait(&self.runtime, query.execute(&mut *self.connection)).map_err(|error| of(sql, error))?;
        Ok(done.rows_affected())
    }

    fn script(&mut self, sql: &str) -> Result<(), DbError> {
        self.text(sql).map_err(|error| of(sql, error))
    }

    fn give_up(&mut self) {
        self.connection.close_on_drop();
    }

    fn is_in_cluster(&self) -> bool {
        self.is_in_cluster
    }
}

fn arguments(values: Values) -> Result<MySqlArguments, sqlx::Error> {
    let mut arguments = MySqlArguments::default();
    for value in values {
        let added = match value {
            Value::Bool(it) => arguments.add(it),
            Value::TinyInt(it) => arguments.add(it.map(i64::from)),
            Value::SmallInt(it) => arguments.add(it.map(i64::from)),
            Value::Int(it) => arguments.add(it.map(i64::from)),
            Value::BigInt(it) => arguments.add(it),
            Value::TinyUnsigned(it) => arguments.add(it.map(i64::from)),
            Value::SmallUnsigned(it) => arguments.add(it.map(i64::from)),
            Value::Unsigned(it) => arguments.add(it.map(i64::from)),
            // The columns are signed; a number that they have no room for becomes their greatest.
            Value::BigUnsigned(it) => arguments.add(it.map(|it| i64::try_from(it).unwrap_or(i64::MAX))),
            Value::Float(it) => arguments.add(it),
            Value::Double(it) => arguments.add(it),
            Value::String(it) => arguments.add(it),
            Value::Char(it) => arguments.add(it.map(|it| it.to_string())),
            Value::Bytes(it) => arguments.add(it),
            Value::ChronoDateTime(it) => arguments.add(it.map(whole)),
            Value::ChronoDateTimeUtc(it) => arguments.add(it.map(|it| whole(it.naive_utc()))),
            other => arguments.add(other.to_string()),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// Without its fraction: the columns hold none, and servers differ in how they round.
fn whole(time: NaiveDateTime) -> NaiveDateTime {
    time.with_nanosecond(0).unwrap_or(time)
}

fn row(row: &MySqlRow) -> Result<Row, sqlx::Error> {
    (0..row.columns().len()).map(|index| cell(row, index)).collect::<Result<_, _>>().map(Row)
}

fn cell(row: &MySqlRow, index: usize) -> Result<Cell, sqlx::Error> {
    let value = row.try_get_raw(index)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let kind = row.column(index).type_info().name();
    Ok(match kind {
        "BOOLEAN" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => {
            Cell::Integer(row.try_get_unchecked(index)?)
        }
        "TINYINT UNSIGNED" | "SMALLINT UNSIGNED" | "MEDIUMINT UNSIGNED" | "INT UNSIGNED" | "BIGINT UNSIGNED" => {
            Cell::Integer(row.try_get_unchecked::<u64, _>(index)?.try_into().unwrap_or(i64::MAX))
        }
        "FLOAT" => Cell::Real(row.try_get_unchecked::<f32, _>(index)?.into()),
        "DOUBLE" => Cell::Real(row.try_get_unchecked(index)?),
        "DATETIME" | "TIMESTAMP" => Cell::Time(row.try_get_unchecked(index)?),
        "BINARY" | "VARBINARY" | "BLOB" | "TINYBLOB" | "MEDIUMBLOB" | "LONGBLOB" => {
            Cell::Bytes(row.try_get_unchecked(index)?)
        }
        // Sums; they come as text.
        "DECIMAL" => {
            let text: String = row.try_get_unchecked(index)?;
            text.parse().map_or(Cell::Text(text), Cell::Integer)
        }
        _ => Cell::Text(row.try_get_unchecked(index)?),
    })
}

fn of(sql: &str, error: sqlx::Error) -> DbError {
    known(&error).unwrap_or_else(|| passing(error, |source| DbError::of_statement(sql, source)))
}

/// A connection that is gone, or else what `other` makes of it.
fn passing(error: sqlx::Error, other: impl FnOnce(crate::db::Source) -> DbError) -> DbError {
    match number(&error) {
        // The server stops; killed; read-only after a fail-over; a cluster's node is not ready or went out, in the middle
        // of a commit even.
        Some(1053 | 1047 | 1077 | 1180 | 1290 | 1317 | 1836 | 1927 | 2006 | 2013 | 4031) => DbError::Lost(error.into()),
        None if is_gone(&error) => DbError::Lost(error.into()),
        _ => other(error.into()),
    }
}

fn known(error: &sqlx::Error) -> Option<DbError> {
    Some(match number(error)? {
        1062 | 1586 => DbError::Duplicate,
        // Lock wait timeout; deadlock, or another node of the cluster was first; changed since it was read; a table was.
        1205 | 1213 | 1020 | 1412 => DbError::Contended,
        1021 | 1041 | 1114 => DbError::Full,
        // The last one: compared with a column that has no such characters.
        1366 | 3988 | 1267 => DbError::Characters,
        1264 | 1406 => DbError::TooLarge,
        _ => return None,
    })
}

fn number(error: &sqlx::Error) -> Option<u16> {
    let sqlx::Error::Database(error) = error else { return None };
    error.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}
