//! What the fuzzer asks of the decoders, which are called with no thread, since what comes out is bounded. What it has found
//! before is asked again by the tests.

use super::{DecompressError, Decompression, Kind, input::Input, output::Output, run};
use crate::catalogue::service::BoxError;
use bytes::Bytes;
use tokio::sync::mpsc;

const LIMITS: Decompression = Decompression { ratio_limit: 10, ratio_free_size: 1 << 20 };

/// Pieces that wait: more than the limits let come out.
const ROOM: usize = 1 << 10;

/// How data begins, so that the fuzzer need not find that out.
const MARKS: [&[u8]; 4] =
    [&[0x1f, 0x8b, 0x08], b"PK\x03\x04", &[0xfd, b'7', b'z', b'X', b'Z', 0], &[0x28, 0xb5, 0x2f, 0xfd]];

/// `input` is which mark goes before the data (1 byte; above 3: none), the size of the pieces (2 bytes, little-endian), and
/// the data.
///
/// # Panics
/// When data in one piece and in pieces is not the same, or more comes out than the limits allow.
pub fn check(input: &[u8]) {
    let Some((mark, rest)) = input.split_first() else { return };
    let Some((chunk, bytes)) = rest.split_first_chunk() else { return };
    let mark = MARKS.get(usize::from(*mark)).copied().unwrap_or_default();
    let data = [mark, bytes].concat();
    let Some(kind) = Kind::of(&data) else { return };
    let whole = decompressed(&data, kind, data.len());
    let pieces = decompressed(&data, kind, usize::from(u16::from_le_bytes(*chunk)));
    // A bomb may be told a little earlier or later; and zstd forgives a frame that comes in pieces and ends with an empty
    // block that its length is wrong.
    let is_bomb = |it: &BoxError| matches!(it.downcast_ref(), Some(DecompressError::Ratio { .. }));
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => assert!(whole == pieces),
        (Err(_), Err(_)) => {}
        (Ok(_), Err(error)) | (Err(error), Ok(_)) => assert!(is_bomb(&error) || kind == Kind::Zstd, "{error}"),
    }
}

/// What is in `data`, which comes in pieces of `chunk` bytes.
fn decompressed(data: &[u8], kind: Kind, chunk: usize) -> Result<Vec<u8>, BoxError> {
    let chunk = chunk.max(data.len() / (ROOM / 2)).max(1);
    let (feed, fed) = mpsc::channel(ROOM);
    for piece in data.chunks(chunk) {
        let sent = feed.blocking_send(Ok(Bytes::copy_from_slice(piece)));
        assert!(sent.is_ok());
    }
    drop(feed);
    let (give, mut given) = mpsc::channel(ROOM);
    let input = Input::new(fed);
    let output = Output::new(give, LIMITS, input.count());
    run(kind, input, output);
    let mut whole = Vec::new();
    while let Some(piece) = given.blocking_recv() {
        match piece {
            Ok(piece) => whole.extend_from_slice(&piece),
            Err(error) => return Err(error),
        }
        let most = LIMITS.ratio_free_size.max(data.len() as u64 * LIMITS.ratio_limit);
        assert!(whole.len() as u64 <= most, "{} bytes of {}", whole.len(), data.len());
    }
    Ok(whole)
}
