//! The central image service: `api → service → tables`, `workers → service`.

pub mod api;
pub mod manage;
mod reload;
mod run;
pub mod scrub;
pub mod service;
mod settings;
pub mod tables;
#[cfg(test)]
mod tests;
mod workers;

pub use reload::Read;
pub use run::{BuildError, Catalogue, build};
pub use settings::{Backend, Fleet, Healthcheck, Settings};
pub use tables::LocationKey;
