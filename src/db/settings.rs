//! Which database, and how much of it.

use crate::db::DbError;
use std::{path::PathBuf, time::Duration};

/// The section `[database]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `connection`, as SQLAlchemy writes it: `sqlite:////path/of/the/file`.
    pub connection: String,
    /// How many transactions read at a time.
    pub readers: usize,
    /// How long a transaction waits for another program.
    pub busy_timeout: Duration,
}

/// Where a connection string leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The file of an embedded database.
    Sqlite(PathBuf),
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            connection: "sqlite:////var/lib/larder/catalogue.sqlite".to_owned(),
            readers: 4,
            busy_timeout: Duration::from_secs(10),
        }
    }
}

impl Settings {
    /// A database in this file.
    pub fn sqlite(file: &std::path::Path) -> Self {
        Self { connection: format!("sqlite:///{}", file.display()), ..Self::default() }
    }

    /// Reads the connection string. Every engine that Glance knows is named, built in or not.
    ///
    /// # Errors
    /// [`DbError::Connection`], [`DbError::NotBuiltIn`].
    pub fn engine(&self) -> Result<Engine, DbError> {
        let shown = || self.connection.split_once("://").map_or("(no URL)", |it| it.0).to_owned() + "://…";
        let Some((scheme, rest)) = self.connection.split_once("://") else {
            return Err(DbError::Connection { shown: shown(), why: "it takes sqlite:////path/of/the/file" });
        };
        match scheme.split('+').next().unwrap_or_default() {
            // Three slashes and a path; options after a question mark are SQLAlchemy's own.
            "sqlite" => match rest.strip_prefix('/').map(|it| it.split('?').next().unwrap_or_default()) {
                Some(path) if !path.is_empty() && path != ":memory:" => Ok(Engine::Sqlite(PathBuf::from(path))),
                _ => Err(DbError::Connection { shown: shown(), why: "it names no file" }),
            },
            "mysql" | "mariadb" => Err(DbError::NotBuiltIn("MySQL and MariaDB")),
            "postgresql" | "postgres" => Err(DbError::NotBuiltIn("PostgreSQL")),
            _ => Err(DbError::Connection { shown: shown(), why: "it takes sqlite:////path/of/the/file" }),
        }
    }
}
