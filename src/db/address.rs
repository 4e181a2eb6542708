//! Connection strings, as SQLAlchemy writes them: `dialect+driver://user:password@host:port/database?option=value`.

use crate::db::DbError;
use percent_encoding::percent_decode_str;
use std::{fmt, path::PathBuf};

/// What a connection string takes.
const TAKES: &str = "it takes sqlite:////path/of/the/file, mysql+pymysql://user:password@host/database or \
                     postgresql://user:password@host/database";

/// Where a connection string leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The file of an embedded database.
    Sqlite(PathBuf),
    /// A MySQL or MariaDB server.
    Mysql(Address),
    /// A PostgreSQL server.
    Postgres(Address),
}

/// A database on a server.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Who logs in.
    pub user: Option<String>,
    /// Never shown.
    pub password: Option<String>,
    /// A name or an address, without the brackets of IPv6.
    pub host: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// The database.
    pub database: String,
    /// What stands behind the question mark, in its order.
    pub options: Vec<(String, String)>,
}

// === impl Engine ===

impl Engine {
    /// Reads a connection string.
    ///
    /// # Errors
    /// [`DbError::Connection`], which shows nothing of it but its beginning.
    pub fn parse(text: &str) -> Result<Self, DbError> {
        let text = text.trim();
        let shown =
            || text.split_once("://").map_or("(no URL)", |it| it.0).chars().take(40).collect::<String>() + "://…";
        let bad = |why: &'static str| DbError::Connection { shown: shown(), why: why.into() };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| bad(TAKES))?;
        match scheme.split('+').next().unwrap_or_default() {
            // Three slashes and a path; options after a question mark are SQLAlchemy's own.
            "sqlite" => match rest.strip_prefix('/').map(|it| it.split('?').next().unwrap_or_default()) {
                Some(path) if !path.is_empty() && path != ":memory:" => Ok(Self::Sqlite(PathBuf::from(path))),
                _ => Err(bad("it names no file")),
            },
            "mysql" | "mariadb" => Address::parse(rest).map(Self::Mysql).map_err(bad),
            "postgresql" | "postgres" => Address::parse(rest).map(Self::Postgres).map_err(bad),
            _ => Err(bad(TAKES)),
        }
    }
}

// === impl Address ===

impl Address {
    /// What follows `://`. As SQLAlchemy reads it: the password ends at the first `@`, and only user, password and
    /// options are percent-encoded.
    fn parse(rest: &str) -> Result<Self, &'static str> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (login, rest) = match rest.split_once('@') {
            Some((login, rest)) => (Some(login), rest),
            None => (None, rest),
        };
        let (server, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match server.strip_prefix('[').map(|it| it.split_once(']')) {
            Some(None) => return Err("its IPv6 address has no closing bracket"),
            Some(Some((host, rest))) => (host, rest.strip_prefix(':').unwrap_or(rest)),
            None => server.split_once(':').unwrap_or((server, "")),
        };
        let port = match port {
            "" => None,
            digits => {
                Some(digits.parse().map_err(|_| "its port is no number (is an @ or : of the password not encoded?)")?)
            }
        };
        let (user, password) = login.map_or((None, None), |it| match it.split_once(':') {
            Some((user, password)) => (Some(user), Some(password)),
            None => (Some(it), None),
        });
        let decoded = |it: &str| percent_decode_str(it).decode_utf8_lossy().into_owned();
        let options: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let named = |name: &str| options.iter().find(|it| it.0 == name).map(|it| it.1.clone());
        let database =
            if database.is_empty() { named("dbname").or(named("database")) } else { Some(database.to_owned()) };
        Ok(Self {
            user: user.map(decoded).filter(|it| !it.is_empty()),
            password: password.map(decoded),
            host: Some(host.to_owned()).filter(|it| !it.is_empty()),
            port,
            database: database.ok_or("it names no database")?,
            options,
        })
    }

    /// The value of an option; the last one when it is there twice.
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().rev().find(|it| it.0 == name).map(|it| it.1.as_str())
    }

    /// The options whose names are none of these.
    pub(super) fn others(&self, known: &[&str]) -> Vec<&str> {
        let mut others: Vec<&str> =
            self.options.iter().map(|it| it.0.as_str()).filter(|it| !known.contains(it)).collect();
        others.sort_unstable();
        others.dedup();
        others
    }

    /// An option that is on or off.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.option(name).map(|it| matches!(it.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on"))
    }
}

/// `host:port/database`, for messages.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let socket = self.option("unix_socket").or_else(|| self.option("host"));
        let host = socket.or(self.host.as_deref()).unwrap_or("localhost");
        match self.port {
            Some(port) => write!(f, "{host}:{port}/{}", self.database),
            None => write!(f, "{host}/{}", self.database),
        }
    }
}

/// Without the password, which may stand among the options, too.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("user", &self.user).field("at", &self.to_string()).finish_non_exhaustive()
    }
}
