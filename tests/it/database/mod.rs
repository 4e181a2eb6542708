//! The real catalogue on MariaDB and PostgreSQL.

mod api;
mod processes;
mod schema;

pub(crate) use schema::glance_manage;
