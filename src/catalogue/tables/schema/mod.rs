//! The schema of the database: Glance's own, and a few tables of ours beside it.

use crate::catalogue::tables::names::{AlembicVersion, LarderVersion};
use crate::db::{Db, DbError, Dialect, Tx};
use sea_query::{Expr, ExprTrait, Query};
use std::time::Duration;

/// The revision of Glance's schema that this program speaks; Glance 2024.1 and all later ones have it.
pub const HEAD: &str = "2024_1_contract01";

/// The revision at which it has all its tables, in the course of a migration from an older one.
pub const EXPANDED: &str = "2024_1_expand01";

/// What makes our own tables, step by step; a database that has run the first `n` is at version `n`. A step that is out
/// is never changed, a change is a further step. MySQL takes no `CREATE` back: each statement must bear to run again.
const STEPS: [&str; 5] = [
    include_str!("larder.1.sql"),
    include_str!("larder.2.sql"),
    include_str!("larder.3.sql"),
    include_str!("larder.4.sql"),
    include_str!("larder.5.sql"),
];

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
    /// A migration that has not come to its end.
    #[error("the database's schema is in the middle of a migration ({found}): run `larder catalogue db sync`")]
    Unfinished {
        /// What `alembic_version` says.
        found: String,
    },
    /// A newer Larder.
    #[error("the database was used by a newer larder (its tables are version {0}, this program knows {ours})", ours = STEPS.len())]
    Newer(usize),
}

/// What a database holds.
#[derive(Debug, PartialEq, Eq)]
enum State {
    /// No tables, or those of a making that broke off.
    Empty,
    /// Glance's schema at [`HEAD`]; our own is at this version.
    Glance(usize),
}

/// Makes the schema in an empty database; accepts Glance's as it is, and adds our own tables if they are missing. Waits
/// for a server that does not answer yet.
///
/// # Errors
/// [`SchemaError`] when there is another schema; nothing is then changed.
pub async fn ensure(db: &Db) -> Result<(), SchemaError> {
    const TRIES: u32 = 20;
    const WAITS: u32 = 4;
    db.reach().await?;
    let mut tried = 0;
    loop {
        // Nearly always there is nothing to do, and the login may not be allowed to make tables.
        if db.read(state).await? == State::Glance(STEPS.len()) {
            return Ok(());
        }
        match bring_up(db).await {
            // On another node of a cluster another process does the same.
            Err(SchemaError::Db(DbError::Duplicate | DbError::Contended)) if tried < TRIES => {}
            // Another one does it here, and takes its time.
            Err(SchemaError::Db(DbError::Busy)) if tried < WAITS => {}
            other => return other,
        }
        tried += 1;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn bring_up(db: &Db) -> Result<(), SchemaError> {
    db.alone(|tx| {
        let done = match state(tx)? {
            State::Empty => {
                make(tx)?;
                0
            }
            State::Glance(done) => done,
        };
        for step in &STEPS[done..] {
            tx.script(&written_for(tx.dialect(), step))?;
        }
        set_version(tx, STEPS.len())?;
        Ok(())
    })
    .await
}

/// The revisions of Glance's schema that the database is at; none when it is empty, or not Glance's.
///
/// # Errors
/// [`SchemaError::Db`].
pub async fn versions(db: &Db) -> Result<Vec<String>, SchemaError> {
    db.reach().await?;
    let found = db.read::<_, DbError, _>(|tx| {
        let is_glances = table_names(tx)?.iter().any(|it| it == "alembic_version");
        if is_glances { versions_in(tx) } else { Ok(Vec::new()) }
    });
    Ok(found.await?)
}

/// Whether there are no tables yet.
///
/// # Errors
/// [`SchemaError::Db`].
pub async fn is_empty(db: &Db) -> Result<bool, SchemaError> {
    Ok(db.read::<_, DbError, _>(|tx| Ok(table_names(tx)?.is_empty())).await?)
}

/// Says that the schema is at a revision of Glance's, whatever it is.
///
/// # Errors
/// [`SchemaError::Db`].
pub async fn stamp(db: &Db, version: &str) -> Result<(), SchemaError> {
    let version = version.to_owned();
    let stamped = db.alone::<_, DbError, _>(move |tx| {
        if !table_names(tx)?.iter().any(|it| it == "alembic_version") {
            tx.script(
                "CREATE TABLE alembic_version \
                 (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))",
            )?;
        }
        tx.execute(Query::delete().from_table(AlembicVersion::Table))?;
        let mut statement = Query::insert();
        statement.into_table(AlembicVersion::Table).columns([AlembicVersion::VersionNum]);
        tx.execute(statement.values_panic([Expr::val(version.as_str())]))
    });
    stamped.await?;
    Ok(())
}

fn state(tx: &Tx<'_>) -> Result<State, SchemaError> {
    let tables = table_names(tx)?;
    let has = |name: &str| tables.iter().any(|it| it == name);
    let versions = if has("alembic_version") { versions_in(tx)? } else { Vec::new() };
    let ours = if has(MARK) { Some(our_version(tx)?) } else { None };
    if tables.is_empty() || (versions.is_empty() && ours == Some(None)) {
        return Ok(State::Empty);
    }
    if !has("alembic_version") {
        return Err(SchemaError::Foreign);
    }
    if versions != [HEAD] {
        let found = if versions.is_empty() { "unknown".to_owned() } else { versions.join(" and ") };
        let unfinished = versions.iter().any(|it| it == EXPANDED);
        return Err(if unfinished { SchemaError::Unfinished { found } } else { SchemaError::Version { found } });
    }
    match ours.flatten().unwrap_or(0) {
        version if version > STEPS.len() => Err(SchemaError::Newer(version)),
        version => Ok(State::Glance(version)),
    }
}

/// The table of our own version. It is made first and filled last: empty, it says that a making broke off.
const MARK: &str = "larder_version";

const MAKE_MARK: &str = "CREATE TABLE IF NOT EXISTS larder_version (version INTEGER NOT NULL)";

fn make(tx: &Tx<'_>) -> Result<(), DbError> {
    if table_names(tx)?.is_empty() {
        tx.script(MAKE_MARK)?;
    }
    tx.script(match tx.dialect() {
        Dialect::Sqlite => include_str!("glance.sqlite.sql"),
        Dialect::Mysql => include_str!("glance.mysql.sql"),
        Dialect::Postgres => include_str!("glance.postgres.sql"),
    })
}

/// What the databases have different words for: times without zone, long texts, keys that count by themselves, and texts
/// that are compared letter for letter.
fn written_for(dialect: Dialect, sql: &str) -> String {
    let (numbered, exact) = match dialect {
        Dialect::Sqlite => ("INTEGER NOT NULL PRIMARY KEY", ")"),
        Dialect::Mysql => {
            ("BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY", ") DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        }
        Dialect::Postgres => ("BIGSERIAL PRIMARY KEY", ")"),
    };
    let sql = sql.replace(" NUMBERED", &format!(" {numbered}")).replace(") EXACT", exact);
    match dialect {
        Dialect::Postgres => sql.replace(" DATETIME", " TIMESTAMP").replace(" LONGTEXT", " TEXT"),
        Dialect::Mysql | Dialect::Sqlite => sql,
    }
}

fn our_version(tx: &Tx<'_>) -> Result<Option<usize>, DbError> {
    let row = tx.select_one(Query::select().column(LarderVersion::Version).from(LarderVersion::Table))?;
    Ok(row.map(|row| row.get::<u64>(0)).transpose()?.map(|it| usize::try_from(it).unwrap_or(usize::MAX)))
}

fn set_version(tx: &Tx<'_>, version: usize) -> Result<(), DbError> {
    if !table_names(tx)?.iter().any(|it| it == MARK) {
        tx.script(MAKE_MARK)?;
    }
    tx.execute(Query::delete().from_table(LarderVersion::Table))?;
    let mut statement = Query::insert();
    statement.into_table(LarderVersion::Table).columns([LarderVersion::Version]);
    statement.values_panic([Expr::val(version as u64)]);
    tx.execute(&statement).map(drop)
}

fn versions_in(tx: &Tx<'_>) -> Result<Vec<String>, DbError> {
    let rows = tx.select(Query::select().column(AlembicVersion::VersionNum).from(AlembicVersion::Table))?;
    rows.iter().map(|row| row.get(0)).collect()
}

fn table_names(tx: &Tx<'_>) -> Result<Vec<String>, DbError> {
    let mut query = Query::select();
    match tx.dialect() {
        Dialect::Sqlite => query.column("name").from("sqlite_master").and_where(Expr::col("type").eq("table")),
        Dialect::Mysql => query
            .column("table_name")
            .from(("information_schema", "tables"))
            .and_where(Expr::col("table_schema").eq(Expr::cust("DATABASE()"))),
        Dialect::Postgres => query
            .column("tablename")
            .from("pg_tables")
            .and_where(Expr::col("schemaname").eq(Expr::cust("current_schema()"))),
    };
    let mut names = tx.select(&query)?.iter().map(|row| row.get(0)).collect::<Result<Vec<String>, _>>()?;
    names.retain(|it| !it.starts_with("sqlite_"));
    Ok(names)
}
