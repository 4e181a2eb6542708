//! A rule of policy.yaml becomes a check, whatever its text.

#![no_main]

use larder::identity::policy::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| drop(parse(text)));
