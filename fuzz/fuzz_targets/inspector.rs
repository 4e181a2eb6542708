//! An image in one piece and in pieces is the same image, is never a panic, and is judged.

#![no_main]

use larder::diskformat::{Inspector, Rules, inspect, raw_bytes};
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

/// The fuzzer's input is short; what stands far into an image is put there.
const FAR: [usize; 4] = [32 << 10, 192 << 10, 1 << 20, 2 << 20];

fuzz_target!(|input: (usize, u8, &[u8])| {
    let (chunk, spread, bytes) = input;
    let image = spread_out(bytes, spread);
    let mut whole = Inspector::new();
    whole.feed(&image);
    let whole = whole.finish();
    let mut pieces = Inspector::new();
    image.chunks(chunk % 100_000 + 1).for_each(|it| pieces.feed(it));
    assert_eq!(pieces.finish(), whole);
    assert_eq!(inspect(&mut Cursor::new(&image)).unwrap(), whole);
    let _ = raw_bytes(&mut Cursor::new(&image));
    for declared in ["raw", "qcow2", "vmdk", "iso", "aki", whole.format.as_str()] {
        let _ = whole.accept_as(declared, &Rules::default());
        let accepted = whole.accept_for_base(declared, &Rules::default());
        assert!(accepted.is_err() || declared != "raw" || whole.format.is_raw());
    }
});

/// The first 1 KiB, and one KiB more at each far place that `spread` has a bit for.
fn spread_out(bytes: &[u8], spread: u8) -> Vec<u8> {
    let mut pieces = bytes.chunks(1 << 10);
    let mut image = pieces.next().unwrap_or_default().to_vec();
    for (index, far) in FAR.iter().enumerate() {
        if spread & 1 << index != 0
            && let Some(piece) = pieces.next()
        {
            image.resize(*far, 0);
            image.extend_from_slice(piece);
        }
    }
    image
}
