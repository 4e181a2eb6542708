//! Bodies as streams: files going out, bounded pieces coming in.

mod file;
mod idle;
mod received;

#[cfg(test)]
mod tests;

pub use file::{blocks, from_file, measured};
pub use idle::{BodyError, collect, idle_limited};
pub(in crate::http) use received::Received;
