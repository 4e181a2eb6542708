//! The embedded database.

use crate::db::{Cell, DbError, Row, Settings};
use rusqlite::{
    Connection, OpenFlags,
    types::{Value as Sql, ValueRef},
};
use sea_query::{Value, Values};
use std::path::Path;

/// SQLAlchemy's way to write a time in SQLite.
const TIME: &str = "%Y-%m-%d %H:%M:%S%.6f";

/// Statements that each connection keeps prepared.
const PREPARED: usize = 128;

/// Opens the connection that writes, and makes the file if need be. A committed transaction survives a power cut.
pub(super) fn open_writer(path: &Path, settings: &Settings) -> Result<Connection, DbError> {
    let opened = |source| DbError::Open { path: path.to_owned(), source };
    let connection = Connection::open(path).map_err(opened)?;
    connection.busy_timeout(settings.busy_timeout).map_err(opened)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(opened)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(opened)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    Ok(connection)
}

/// Opens one that only reads.
pub(super) fn open_reader(path: &Path, settings: &Settings) -> Result<Connection, DbError> {
    let opened = |source| DbError::Open { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(opened)?;
    connection.busy_timeout(settings.busy_timeout).map_err(opened)?;
    connection.pragma_update(None, "query_only", true).map_err(opened)?;
    // Pages of the list; the whole database is in the page cache anyway.
    connection.pragma_update(None, "mmap_size", 256 << 20).map_err(opened)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    Ok(connection)
}

pub(super) fn select(connection: &Connection, sql: &str, values: Values) -> Result<Vec<Row>, DbError> {
    let failed = |source| of(sql, source);
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let columns = statement.column_count();
    let mut rows = statement.query(rusqlite::params_from_iter(bind(values))).map_err(failed)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let cells = (0..columns).map(|index| row.get_ref(index).map(cell)).collect::<Result<_, _>>();
        found.push(Row(cells.map_err(failed)?));
    }
    Ok(found)
}

pub(super) fn execute(connection: &Connection, sql: &str, values: Values) -> Result<u64, DbError> {
    let failed = |source| of(sql, source);
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let touched = statement.execute(rusqlite::params_from_iter(bind(values))).map_err(failed)?;
    Ok(touched as u64)
}

pub(super) fn script(connection: &Connection, sql: &str) -> Result<(), DbError> {
    connection.execute_batch(sql).map_err(|source| of(sql, source))
}

pub(super) fn of_transaction(step: &'static str, source: rusqlite::Error) -> DbError {
    known(&source).unwrap_or_else(|| DbError::Transaction { step, source: source.into() })
}

fn of(sql: &str, source: rusqlite::Error) -> DbError {
    known(&source).unwrap_or_else(|| DbError::of_statement(sql, source))
}

fn known(source: &rusqlite::Error) -> Option<DbError> {
    use rusqlite::{ErrorCode, ffi};
    let code = source.sqlite_error()?;
    match (code.code, code.extended_code) {
        (_, ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => Some(DbError::Duplicate),
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Some(DbError::Busy),
        (ErrorCode::DiskFull, _) => Some(DbError::Full),
        _ => None,
    }
}

fn bind(values: Values) -> impl Iterator<Item = Sql> {
    values.into_iter().map(|value| to_sql(value).unwrap_or(Sql::Null))
}

/// sea-query's value as SQLite's; a number that SQLite has no room for becomes its greatest.
fn to_sql(value: Value) -> Option<Sql> {
    Some(match value {
        Value::Bool(it) => Sql::Integer(it?.into()),
        Value::TinyInt(it) => Sql::Integer(it?.into()),
        Value::SmallInt(it) => Sql::Integer(it?.into()),
        Value::Int(it) => Sql::Integer(it?.into()),
        Value::BigInt(it) => Sql::Integer(it?),
        Value::TinyUnsigned(it) => Sql::Integer(it?.into()),
        Value::SmallUnsigned(it) => Sql::Integer(it?.into()),
        Value::Unsigned(it) => Sql::Integer(it?.into()),
        Value::BigUnsigned(it) => Sql::Integer(it?.try_into().unwrap_or(i64::MAX)),
        Value::Float(it) => Sql::Real(it?.into()),
        Value::Double(it) => Sql::Real(it?),
        Value::String(it) => Sql::Text(it?),
        Value::Char(it) => Sql::Text(it?.to_string()),
        Value::Bytes(it) => Sql::Blob(it?),
        Value::ChronoDateTime(it) => Sql::Text(it?.format(TIME).to_string()),
        Value::ChronoDateTimeUtc(it) => Sql::Text(it?.naive_utc().format(TIME).to_string()),
        // Kinds that no statement of ours binds; the text of the value is what SQLite would keep.
        other => Sql::Text(other.to_string()),
    })
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Real(number) => Cell::Real(number),
        ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_owned()),
    }
}
