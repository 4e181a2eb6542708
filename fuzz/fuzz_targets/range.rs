//! A Range header gives a range inside of the image, or an error.

#![no_main]

use larder::http::range::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, &str, &[u8])| {
    let (size, name, value) = input;
    let name = if name.len() % 2 == 0 { "range" } else { "content-range" };
    let Ok(value) = http::HeaderValue::from_bytes(value) else { return };
    let headers = [(http::HeaderName::from_static(name), value)].into_iter().collect();
    if let Ok(Some(range)) = parse(&headers, size) {
        assert!(range.start < range.end && range.end <= size);
    }
});
