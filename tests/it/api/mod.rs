//! The Image API, from outside: raw requests over TCP, so that what is sent is what is written here.

pub(crate) mod access;
mod as_glance;
mod beside;
mod cache;
mod conditional;
mod errors;
mod hostile;
pub(crate) mod images;
pub(crate) mod metadefs;
mod middleware;
mod refusals;
mod reload;
mod requests;
mod schemas;
mod server;
mod versions;
mod web_store;

pub(crate) use access::behind;
pub(crate) use requests::{Answer, exchange, parse, try_exchange};
pub(crate) use server::{Server, on_engine};
