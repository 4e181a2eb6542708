//! No header makes the search for backing files panic or read without end.

#![no_main]

use larder::diskformat::references;
use libfuzzer_sys::fuzz_target;
use std::{io::Cursor, path::Path};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(found) = references(&mut Cursor::new(bytes)) {
        for name in found.backing.iter().chain(&found.data) {
            let _ = name.resolve(Path::new("/instances/1/disk"));
        }
    }
});
