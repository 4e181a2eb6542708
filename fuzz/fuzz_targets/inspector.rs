//! An image in one piece and in pieces is the same image, is never a panic, and is judged.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| larder::diskformat::fuzzed::check(input));
