//! What the fuzzer asks of the inspector. What it has found before is asked again by the tests.

use super::{Inspector, Rules, inspect, raw_bytes};
use std::io::Cursor;

/// The fuzzer's input is short; what stands far into an image is put there.
const FAR: [usize; 4] = [32 << 10, 192 << 10, 1 << 20, 2 << 20];

/// `input` is the size of the pieces (8 bytes, little-endian), which far places are filled (1 byte), and what they hold.
///
/// # Panics
/// When an image in one piece and in pieces is not the same image, or is accepted as what it is not.
pub fn check(input: &[u8]) {
    let Some((chunk, rest)) = input.split_first_chunk() else { return };
    let Some((spread, bytes)) = rest.split_first() else { return };
    let image = spread_out(bytes, *spread);
    let mut whole = Inspector::new();
    whole.feed(&image);
    let whole = whole.finish();
    let mut pieces = Inspector::new();
    let chunk = usize::from_le_bytes(*chunk) % 100_000 + 1;
    image.chunks(chunk).for_each(|it| pieces.feed(it));
    assert_eq!(pieces.finish(), whole);
    let read = inspect(&mut Cursor::new(&image));
    assert_eq!(read.ok().as_ref(), Some(&whole));
    let _ = raw_bytes(&mut Cursor::new(&image));
    for declared in ["raw", "qcow2", "vmdk", "iso", "aki", whole.format.as_str()] {
        let _ = whole.accept_as(declared, &Rules::default());
        let accepted = whole.accept_for_base(declared, &Rules::default());
        assert!(accepted.is_err() || declared != "raw" || whole.format.is_raw());
    }
}

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
