//! The parameters of a list are understood or refused.

#![no_main]

use larder::image::query::{Limits, ListQuery};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|parameters: Vec<(String, String)>| {
    if let Ok(query) = ListQuery::parse(&parameters, Limits { default: 25, max: 1000 }) {
        assert!(query.limit <= 1000);
    }
});
