//! Databases of their own on real servers, dropped at the end. Unit tests have this file, too.
//!
//! The servers are at `LARDER_TEST_MYSQL` (otherwise `mysql://root@127.0.0.1:3306/mysql`) and `LARDER_TEST_POSTGRES`
//! (otherwise `postgresql://postgres@127.0.0.1:5432/postgres`).

#![allow(dead_code, reason = "each test takes what it needs")]

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, Row, mysql::MySqlConnectOptions, postgres::PgConnectOptions,
};
use std::{
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// A database that is dropped with this.
pub(crate) struct Scratch {
    /// `mysql` or `postgresql`.
    pub(crate) kind: &'static str,
    /// The connection string.
    pub(crate) url: String,
    server: String,
    name: String,
}

/// An empty database on each server that is there; in CI all have to be.
pub(crate) fn servers() -> Vec<Scratch> {
    [mysql(), postgres()].into_iter().flatten().collect()
}

/// One on MariaDB or MySQL.
pub(crate) fn mysql() -> Option<Scratch> {
    Scratch::new("mysql", "LARDER_TEST_MYSQL", "mysql://root@127.0.0.1:3306/mysql", "CHARACTER SET utf8mb3")
}

/// One on PostgreSQL.
pub(crate) fn postgres() -> Option<Scratch> {
    // Nobody is ever connected to this template, and it is in no language's order.
    let how = "TEMPLATE template0 ENCODING 'UTF8'";
    Scratch::new("postgresql", "LARDER_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres", how)
}

// === impl Scratch ===

impl Scratch {
    fn new(kind: &'static str, variable: &str, default: &str, how: &str) -> Option<Self> {
        let server = std::env::var(variable).unwrap_or_else(|_| default.to_owned());
        match Self::make(kind, &server, how) {
            Ok(made) => Some(made),
            Err(error) => {
                let why = format!("{kind} cannot be used ({variable} names another server): {error}");
                assert!(std::env::var("CI").as_deref() != Ok("true"), "in CI nothing is skipped: {why}");
                eprintln!("skipped: {why}");
                None
            }
        }
    }

    /// One on the nodes of a Galera cluster (`mysql://root@127.0.0.1:<port>`), which all have it then.
    pub(crate) fn on_nodes(nodes: &[String]) -> Self {
        let made = Self::make("mysql", &format!("{}/mysql", nodes[0]), "CHARACTER SET utf8mb3").unwrap();
        for node in nodes {
            lines(&format!("{node}/mysql"), "SET SESSION wsrep_sync_wait = 1; SELECT '1'").unwrap();
        }
        made
    }

    fn make(kind: &'static str, server: &str, how: &str) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("larder_test_{}_{count}_{}", std::process::id(), uuid::Uuid::new_v4().simple());
        lines(server, &format!("CREATE DATABASE {name} {how}"))?;
        let (front, _) = server.rsplit_once('/').unwrap();
        Ok(Self { kind, url: format!("{front}/{name}"), server: server.to_owned(), name })
    }

    /// The same database on another server of its cluster.
    pub(crate) fn url_on(&self, server: &str) -> String {
        format!("{server}/{}", self.name)
    }

    /// Runs SQL on the database, on a connection of its own; the first column of what it gives.
    pub(crate) fn lines(&self, sql: &str) -> Vec<String> {
        lines(&self.url, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Ends all connections of others to this database.
    pub(crate) fn cut_off_all(&self) {
        if self.kind == "mysql" {
            let all = format!("SELECT CAST(id AS CHAR) FROM information_schema.processlist WHERE db = '{}'", self.name);
            for id in lines(&self.server, &all).unwrap() {
                self.cut_off(&id);
            }
        } else {
            let all = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname";
            lines(&self.server, &format!("{all} = '{}'", self.name)).unwrap();
        }
    }

    /// Ends one connection, if it is still there.
    pub(crate) fn cut_off(&self, id: &str) {
        let sql = if self.kind == "mysql" {
            format!("KILL {id}")
        } else {
            format!("SELECT pg_terminate_backend({id})::text")
        };
        let _ = lines(&self.server, &sql);
        // The server ends it a moment later.
        let left = if self.kind == "mysql" {
            format!("SELECT CAST(id AS CHAR) FROM information_schema.processlist WHERE id = {id}")
        } else {
            format!("SELECT pid::text FROM pg_stat_activity WHERE pid = {id}")
        };
        for _ in 0..3000 {
            if lines(&self.server, &left).unwrap().is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("connection {id} does not end");
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let force = if self.kind == "mysql" { "" } else { " WITH (FORCE)" };
        if let Err(error) = lines(&self.server, &format!("DROP DATABASE {}{force}", self.name)) {
            eprintln!("the database {} is left: {error}", self.name);
        }
    }
}

/// Runs SQL on the server or database of a connection string; the first column of what it gives.
pub(crate) fn answer(url: &str, sql: &str) -> Result<Vec<String>, String> {
    lines(url, sql)
}

/// Runs SQL on a thread and a runtime of its own, so that it can be called anywhere.
fn lines(url: &str, sql: &str) -> Result<Vec<String>, String> {
    let (url, sql) = (url.to_owned(), sql.to_owned());
    let run = async move {
        if url.starts_with("mysql") {
            let mut connection = MySqlConnectOptions::from_str(&url)?.connect().await?;
            let rows = connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
            let read: Result<Vec<String>, sqlx::Error> = rows.iter().map(|it| it.try_get_unchecked(0)).collect();
            connection.close().await?;
            read
        } else {
            let mut connection = PgConnectOptions::from_str(&url)?.connect().await?;
            let rows = connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
            let read: Result<Vec<String>, sqlx::Error> = rows.iter().map(|it| it.try_get_unchecked(0)).collect();
            connection.close().await?;
            read
        }
    };
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run).map_err(|error: sqlx::Error| error.to_string())
    });
    thread.join().unwrap()
}
