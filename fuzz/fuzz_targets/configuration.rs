//! Any text in place of a configuration file is read, or refused with an error.

#![no_main]

use larder::config::{Sources, catalogue};
use libfuzzer_sys::fuzz_target;
use std::{fs, path::Path};

fuzz_target!(|text: &[u8]| {
    let file = std::env::temp_dir().join(format!("larder-fuzz-{}.conf", std::process::id()));
    if fs::write(&file, text).is_ok() {
        let _ = catalogue(&Sources::new(std::slice::from_ref(&file), &[], Path::new("/nonexistent")));
    }
});
