//! The real catalogue on MariaDB and PostgreSQL.

mod api;
mod galera;
mod processes;
mod schema;
mod tls;

pub(crate) use schema::glance_manage;
