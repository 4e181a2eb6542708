//! The Image API, from outside: raw requests over TCP, so that what is sent is what is written here.

pub(crate) mod access;
mod as_glance;
mod beside;
mod cache;
pub(crate) mod conditional;
mod elsewhere;
mod errors;
mod hostile;
pub(crate) mod images;
pub(crate) mod metadefs;
mod middleware;
mod notifications;
mod plugins;
mod refusals;
mod reload;
mod requests;
mod schemas;
mod server;
mod signatures;
mod site_schema;
mod versions;
mod web_store;

pub(crate) use access::{behind, behind_with};
pub(crate) use requests::{Answer, exchange, parse, try_exchange};
pub(crate) use server::{Server, is_on_engine, on_cluster, on_engine};
