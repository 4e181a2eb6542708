//! What clients send as JSON is understood or refused.

#![no_main]

use larder::wire::{Formats, image, patch};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (bool, &[u8])| {
    let (second, body) = input;
    let formats =
        Formats { disk: vec!["raw".into(), "qcow2".into()], container: vec!["bare".into()], site: Default::default() };
    let _ = patch::parse(patch::MEDIA_TYPES[usize::from(second)], body, &formats);
    let _ = image::parse_create(body, &formats);
});
