//! PostgreSQL.

use crate::db::{
    Address, Cell, DbError, Row, Settings,
    server::{Link, Mode, is_gone, wait},
    tls::{self, Words},
};
use sea_query::{Value, Values};
use sqlx::{
    Arguments, AssertSqlSafe, Column, ConnectOptions, Connection, Encode, Executor, Row as _, Type, TypeInfo, ValueRef,
    encode::IsNull,
    error::BoxDynError,
    pool::PoolConnection,
    postgres::{
        PgArgumentBuffer, PgArguments, PgConnectOptions, PgPoolOptions, PgRow, PgSslMode, PgTypeInfo, types::Oid,
    },
};
use tokio::runtime::Handle;

/// The lock that changes of the schema hold: "larder".
const LOCK: i64 = 0x6c61_7264_6572;

/// The options of a connection string that mean something here.
const OPTIONS: [&str; 11] = [
    "application_name",
    "database",
    "dbname",
    "host",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

/// A server with its connections.
pub(super) struct Postgres {
    pool: sqlx::PgPool,
    options: PgConnectOptions,
    tls: Words,
    at: String,
}

struct Connected {
    connection: PoolConnection<sqlx::Postgres>,
    runtime: Handle,
}

/// A text whose type the server takes from where it stands: that of an enumeration, for example.
struct Text(String);

// === impl Postgres ===

impl Postgres {
    pub(super) fn new(address: &Address, settings: &Settings) -> Result<Self, DbError> {
        let options = options(address)?;
        let pool = PgPoolOptions::new()
            .max_connections(settings.connections())
            .min_connections(0)
            .acquire_timeout(settings.pool_timeout)
            .max_lifetime(settings.connection_recycle_time)
            // A transaction that meets a dead connection runs again on one that is tested.
            .test_before_acquire(false)
            .connect_lazy_with(options.clone());
        Ok(Self { pool, options, tls: words(address), at: address.to_string() })
    }

    pub(super) async fn acquire(&self, tested: bool) -> Result<Box<dyn Link>, DbError> {
        loop {
            let mut connection = self.pool.acquire().await.map_err(|error| self.unreachable(error))?;
            if tested && connection.ping().await.is_err() {
                connection.close_on_drop();
                continue;
            }
            return Ok(Box::new(Connected { connection, runtime: Handle::current() }));
        }
    }

    /// Connects once, to see whether and why not.
    pub(super) async fn reach(&self) -> Result<(), DbError> {
        let connection = self.options.connect().await.map_err(|error| self.unreachable(error))?;
        // It said all that it was asked for.
        let _ = connection.close().await;
        Ok(())
    }

    fn unreachable(&self, error: sqlx::Error) -> DbError {
        match code(&error).as_deref() {
            Some(code) if is_passing(code) => DbError::Lost(error.into()),
            // "no pg_hba.conf entry for host …, no encryption"
            Some("28000") if error.to_string().contains("no encryption") => DbError::Tls {
                at: self.at.clone(),
                why: "the server takes encrypted connections only: give [database] connection the options \
                      sslmode=verify-full and sslrootcert=/path/of/its/authority.pem"
                    .to_owned(),
                source: error.into(),
            },
            _ => match self.tls.judge(&self.at, error) {
                Ok(failure) => failure,
                Err(error) if is_gone(&error) => DbError::Lost(format!("{}: {error}", self.at).into()),
                Err(error) => DbError::Unreachable { at: self.at.clone(), source: error.into() },
            },
        }
    }
}

fn words(address: &Address) -> Words {
    Words {
        asked: address.option("sslmode").map(|it| format!("sslmode={it}")),
        authority: ("sslrootcert", address.option("sslrootcert").map(str::to_owned)),
        client: ["sslcert", "sslkey"],
        any_name: "sslmode=verify-ca",
    }
}

fn wrong(why: impl Into<std::borrow::Cow<'static, str>>) -> DbError {
    DbError::Connection { shown: "postgresql://…".to_owned(), why: why.into() }
}

/// As libpq has it; what the string leaves out is taken from the environment (`PGHOST`, `PGPASSWORD`…).
fn options(address: &Address) -> Result<PgConnectOptions, DbError> {
    tls::check_names(address, &OPTIONS).and_then(|()| words(address).check_files(address)).map_err(wrong)?;
    let mut options = PgConnectOptions::new()
        .database(&address.database)
        .application_name(address.option("application_name").unwrap_or("larder"))
        .statement_cache_capacity(64)
        // PgBouncer knows no such parameter.
        .extra_float_digits(None)
        .disable_statement_logging();
    if let Some(user) = address.user.as_deref().or(address.option("user")) {
        options = options.username(user);
    }
    if let Some(password) = address.password.as_deref().or(address.option("password")) {
        options = options.password(password);
    }
    let port = address.option("port").map(|it| it.parse().map_err(|_| wrong("its port is no number"))).transpose()?;
    if let Some(port) = port.or(address.port) {
        options = options.port(port);
    }
    match address.option("host").or(address.host.as_deref()) {
        Some(folder) if folder.starts_with('/') => options = options.socket(folder),
        Some(host) => options = options.host(host),
        None => {}
    }
    if let Some(mode) = address.option("sslmode") {
        options = options.ssl_mode(ssl_mode(address, mode)?);
    }
    for (name, set) in [
        ("sslrootcert", PgConnectOptions::ssl_root_cert as fn(PgConnectOptions, String) -> PgConnectOptions),
        ("sslcert", PgConnectOptions::ssl_client_cert),
        ("sslkey", PgConnectOptions::ssl_client_key),
    ] {
        if let Some(file) = address.option(name) {
            options = set(options, file.to_owned());
        }
    }
    Ok(options)
}

/// As libpq has it: with a file of authorities, `require` looks at the certificate, too.
fn ssl_mode(address: &Address, mode: &str) -> Result<PgSslMode, DbError> {
    let authority = address.option("sslrootcert").is_some();
    match mode.parse().map_err(|_| wrong("its sslmode is none of PostgreSQL's"))? {
        PgSslMode::Require if authority => Ok(PgSslMode::VerifyCa),
        PgSslMode::VerifyCa | PgSslMode::VerifyFull if !authority => {
            Err(wrong("its sslmode needs sslrootcert=/path/of/the/authority.pem"))
        }
        mode => Ok(mode),
    }
}

// === impl Connected ===

impl Connected {
    fn text(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        let step = (&mut *self.connection).execute(sqlx::raw_sql(AssertSqlSafe(sql)));
        wait(&self.runtime, step).map(drop)
    }

    fn step(&mut self, step: &'static str, sql: &str) -> Result<(), DbError> {
        self.text(sql).map_err(|error| judged(error, |source| DbError::Transaction { step, source }))
    }
}

impl Link for Connected {
    fn begin(&mut self, mode: Mode) -> Result<(), DbError> {
        let sql = match mode {
            Mode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned(),
            Mode::Write => "BEGIN ISOLATION LEVEL READ COMMITTED".to_owned(),
            Mode::Alone => format!("BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({LOCK})"),
        };
        self.step("begin", &sql)
    }

    fn commit(&mut self, _: Mode) -> Result<(), DbError> {
        self.step("commit", "COMMIT")
    }

    fn rollback(&mut self, _: Mode) -> Result<(), DbError> {
        self.step("roll back", "ROLLBACK")
    }

    fn select(&mut self, sql: &str, values: Values) -> Result<Vec<Row>, DbError> {
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments(values).map_err(|error| of(sql, error))?);
        let rows = wait(&self.runtime, query.fetch_all(&mut *self.connection)).map_err(|error| of(sql, error))?;
        rows.iter().map(|it| row(it).map_err(|error| of(sql, error))).collect()
    }

    fn execute(&mut self, sql: &str, values: Values) -> Result<u64, DbError> {
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
}

fn arguments(values: Values) -> Result<PgArguments, sqlx::Error> {
    let mut arguments = PgArguments::default();
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
            Value::String(it) => arguments.add(it.map(Text)),
            Value::Char(it) => arguments.add(it.map(|it| Text(it.to_string()))),
            Value::Bytes(it) => arguments.add(it),
            Value::ChronoDateTime(it) => arguments.add(it),
            Value::ChronoDateTimeUtc(it) => arguments.add(it.map(|it| it.naive_utc())),
            other => arguments.add(Text(other.to_string())),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

impl Type<sqlx::Postgres> for Text {
    fn type_info() -> PgTypeInfo {
        // "Unknown", which is what a literal in quotes is.
        PgTypeInfo::with_oid(Oid(705))
    }
}

impl Encode<'_, sqlx::Postgres> for Text {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
}

fn row(row: &PgRow) -> Result<Row, sqlx::Error> {
    (0..row.columns().len()).map(|index| cell(row, index)).collect::<Result<_, _>>().map(Row)
}

fn cell(row: &PgRow, index: usize) -> Result<Cell, sqlx::Error> {
    let value = row.try_get_raw(index)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    Ok(match row.column(index).type_info().name() {
        "BOOL" => Cell::Integer(row.try_get_unchecked::<bool, _>(index)?.into()),
        "INT2" => Cell::Integer(row.try_get_unchecked::<i16, _>(index)?.into()),
        "INT4" => Cell::Integer(row.try_get_unchecked::<i32, _>(index)?.into()),
        "INT8" => Cell::Integer(row.try_get_unchecked(index)?),
        "FLOAT4" => Cell::Real(row.try_get_unchecked::<f32, _>(index)?.into()),
        "FLOAT8" => Cell::Real(row.try_get_unchecked(index)?),
        "TIMESTAMP" => Cell::Time(row.try_get_unchecked(index)?),
        "TIMESTAMPTZ" => Cell::Time(row.try_get_unchecked::<chrono::DateTime<chrono::Utc>, _>(index)?.naive_utc()),
        "BYTEA" => Cell::Bytes(row.try_get_unchecked(index)?),
        // Sums.
        "NUMERIC" => value.as_bytes().ok().and_then(numeric).map_or(Cell::Null, Cell::Integer),
        _ => Cell::Text(row.try_get_unchecked(index)?),
    })
}

/// The whole part of a number in PostgreSQL's binary form: count, weight, sign and scale of 16 bits each, then digits to
/// the base of 10,000.
fn numeric(bytes: &[u8]) -> Option<i64> {
    let word = |index: usize| Some(i16::from_be_bytes(bytes.get(2 * index..2 * index + 2)?.try_into().ok()?));
    let (count, weight, sign) = (word(0)?, word(1)?, word(2)?);
    let mut whole: i64 = 0;
    for place in 0..=weight {
        let digit = if place < count { word(4 + usize::try_from(place).ok()?)? } else { 0 };
        whole = whole.checked_mul(10_000)?.checked_add(digit.into())?;
    }
    if sign == 0 { Some(whole) } else { Some(-whole) }
}

fn of(sql: &str, error: sqlx::Error) -> DbError {
    judged(error, |source| DbError::of_statement(sql, source))
}

fn judged(error: sqlx::Error, other: impl FnOnce(crate::db::Source) -> DbError) -> DbError {
    match code(&error).as_deref() {
        Some("23505") => DbError::Duplicate,
        // Serialization failure, deadlock, lock not available.
        Some("40001" | "40P01" | "55P03") => DbError::Contended,
        Some("53100") => DbError::Full,
        // Zero bytes, and characters that the database's encoding has not.
        Some("22021" | "22P05") => DbError::Characters,
        Some("22001" | "22003") => DbError::TooLarge,
        Some(code) if is_passing(code) => DbError::Lost(error.into()),
        None if is_gone(&error) => DbError::Lost(error.into()),
        _ => other(error.into()),
    }
}

/// Connections, the end of the server or of the connection, a server that starts or stands by, too many connections.
fn is_passing(code: &str) -> bool {
    code.starts_with("08") || matches!(code, "57P01" | "57P02" | "57P03" | "57P05" | "53300" | "25006" | "25P03")
}

fn code(error: &sqlx::Error) -> Option<String> {
    let sqlx::Error::Database(error) = error else { return None };
    error.code().map(std::borrow::Cow::into_owned)
}
