//! Piece lists and journals as a disk may give them back.

#![no_main]

use larder::base::pieces::{Begun, Pieces};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = Begun::decode(data);
    let _ = Pieces::decode(data);
    // Past the checksum, too.
    let mut sealed = data.to_vec();
    sealed.extend_from_slice(blake3::hash(data).as_bytes());
    if let Some((pieces, label)) = Pieces::decode(&sealed) {
        assert_eq!(pieces.encode(&label), sealed);
    }
});
