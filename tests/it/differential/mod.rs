//! Larder beside a real Glance: the same requests to both, and what they answer compared.
//!
//! `LARDER_DIFFERENTIAL=5000` adds a run of so many requests by chance; `LARDER_DIFFERENTIAL_SEED=31` repeats one, and
//! `31,32,33` makes one run after another. `LARDER_DIFFERENTIAL_IMPORTS=1` makes them requests around imports,
//! `LARDER_DIFFERENTIAL_STORES=1` such at a site with several stores. `LARDER_DIFFERENTIAL_REPORT` and `LARDER_DIFFERENTIAL_TRACE` name files for all
//! that differs, known or not, and for all that was asked.

mod compare;
mod crawl;
mod generate;
mod known;
mod model;
mod pair;
mod report;
mod request;
mod run;
mod stores;
mod values;

pub(crate) use pair::{GLANCE, LARDER, Pair, Theme};
