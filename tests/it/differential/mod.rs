//! Larder beside a real Glance: the same requests to both, and what they answer compared.
//!
//! `LARDER_DIFFERENTIAL=5000` adds a run of so many requests by chance; `LARDER_DIFFERENTIAL_SEED` repeats one.
//! `LARDER_DIFFERENTIAL_REPORT` and `LARDER_DIFFERENTIAL_TRACE` name files for what differs and for all that was asked.

mod compare;
mod crawl;
mod generate;
mod known;
mod model;
mod pair;
mod request;
mod run;
mod values;
