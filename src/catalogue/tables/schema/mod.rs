//! The schema of the database: Glance's own, and a few tables of ours beside it.

use crate::catalogue::tables::names::{AlembicVersion, LarderVersion};
use crate::db::{Db, DbError, Tx};
use sea_query::{Expr, ExprTrait, Iden, Query};

/// The revision of Glance's schema that this program speaks; Glance 2024.1 and all later ones have it.
pub const HEAD: &str = "2024_1_contract01";

/// The version of our own tables.
const OURS: i64 = 1;

/// The database is not one that this program can work on.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The database itself.
    #[error("cannot look at the database's schema")]
    Db(#[from] DbError),
    /// Tables, but none that says which version they are.
    #[error(
        "the database has tables, but no alembic_version: it is not Glance's. Give the catalogue a database of its own, \
         or bring a Glance database to the present with `glance-manage db sync`"
    )]
    Foreign,
    /// An older or newer Glance.
    #[error(
        "the database's schema is {found}, and the catalogue works on {HEAD}: run `glance-manage db sync` of Glance \
         2024.1 or later on it"
    )]
    Version {
        /// What `alembic_version` says.
        found: String,
    },
    /// A newer Larder.
    #[error("the database was used by a newer larder (its tables are version {0}, this program knows {OURS})")]
    Newer(i64),
}

#[derive(Iden)]
enum SqliteSchema {
    #[iden = "sqlite_master"]
    Table,
    Type,
    Name,
}

/// Makes the schema in an empty database; accepts Glance's as it is, and adds our own tables if they are missing.
///
/// # Errors
/// [`SchemaError`] when there is another schema; nothing is then changed.
pub async fn ensure(db: &Db) -> Result<(), SchemaError> {
    db.write(ensure_in).await
}

/// The revisions of Glance's schema that the database is at; none when it is empty, or not Glance's.
///
/// # Errors
/// [`SchemaError::Db`].
pub async fn versions(db: &Db) -> Result<Vec<String>, SchemaError> {
    let found = db.read::<_, DbError, _>(|tx| {
        let is_glances = table_names(tx)?.iter().any(|it| it == "alembic_version");
        if is_glances { versions_in(tx) } else { Ok(Vec::new()) }
    });
    Ok(found.await?)
}

fn ensure_in(tx: &Tx<'_>) -> Result<(), SchemaError> {
    let tables = table_names(tx)?;
    let has = |name: &str| tables.iter().any(|it| it == name);
    if tables.is_empty() {
        tx.script(include_str!("glance.sqlite.sql"))?;
    } else if !has("alembic_version") {
        return Err(SchemaError::Foreign);
    }
    let versions = versions_in(tx)?;
    if versions != [HEAD] {
        let found = if versions.is_empty() { "unknown".to_owned() } else { versions.join(" and ") };
        return Err(SchemaError::Version { found });
    }
    if !has("larder_version") {
        tx.script(include_str!("larder.sqlite.sql"))?;
    }
    let ours = tx.select_one(Query::select().column(LarderVersion::Version).from(LarderVersion::Table))?;
    match ours.map(|row| row.get::<i64>(0)).transpose()? {
        Some(version) if version > OURS => Err(SchemaError::Newer(version)),
        _ => Ok(()),
    }
}

fn versions_in(tx: &Tx<'_>) -> Result<Vec<String>, DbError> {
    let rows = tx.select(Query::select().column(AlembicVersion::VersionNum).from(AlembicVersion::Table))?;
    rows.iter().map(|row| row.get(0)).collect()
}

fn table_names(tx: &Tx<'_>) -> Result<Vec<String>, DbError> {
    let mut query = Query::select();
    query.column(SqliteSchema::Name).from(SqliteSchema::Table);
    query.and_where(Expr::col(SqliteSchema::Type).eq("table"));
    let mut names = tx.select(&query)?.iter().map(|row| row.get(0)).collect::<Result<Vec<String>, _>>()?;
    names.retain(|it| !it.starts_with("sqlite_"));
    Ok(names)
}
