//! Which SQL a database speaks.

/// The SQL of a database; sea-query writes it, so this matters only where the databases mean different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// MySQL and MariaDB: texts are compared without regard to case and accents, times have no fractions.
    Mysql,
    /// PostgreSQL.
    Postgres,
}
