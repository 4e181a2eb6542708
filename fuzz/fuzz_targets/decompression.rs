//! What is compressed in one piece and in pieces is the same, never a panic, and never more than the limits allow.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| larder::catalogue::service::fuzzed_decompression(input));
