//! The decoders.

use super::{
    DecompressError, Kind,
    input::Input,
    output::{Ended, Output},
    zip,
};
use flate2::bufread::MultiGzDecoder;
use liblzma::{
    bufread::XzDecoder,
    stream::{CONCATENATED, Stream},
};
use std::io::{self, BufRead};
use zstd::stream::read::Decoder as ZstdDecoder;

/// What a decoder may keep, bytes: that of `xz -9` needs 65 MiB, that of `zstd --long=27` 128.
const MEMORY: u64 = 160 << 20;

/// The largest window of zstd, as a power of two (its own default).
const LONGEST_WINDOW: u32 = 27;

/// Decodes all of it. Blocks.
pub(super) fn run(kind: Kind, input: Input, mut output: Output) {
    let failure = input.failure();
    let ended = match kind {
        Kind::Gzip => output.pump(&mut MultiGzDecoder::new(input), |_| {}),
        Kind::Xz => xz(input).map_err(Ended::Broken).and_then(|mut it| output.pump(&mut it, |_| {})),
        Kind::Zstd => zstd(input).map_err(Ended::Broken).and_then(|mut it| output.pump(&mut it, |_| {})),
        Kind::Zip => zip::read(input, &mut output),
        Kind::Lha => Err(Ended::Ratio(DecompressError::Lha)),
    };
    let (kind, got) = (kind.name(), output.taken());
    match (ended, failure.take()) {
        (Ok(()) | Err(Ended::Unwanted), _) => {}
        (Err(Ended::Ratio(error)), _) => output.fail(error.into()),
        (Err(Ended::Broken(_)), Some(error)) => output.fail(error),
        (Err(Ended::Broken(error)), None) => {
            output.fail(DecompressError::Broken { kind, got, why: error.to_string() }.into());
        }
    }
}

fn xz(input: Input) -> io::Result<XzDecoder<Input>> {
    let stream = Stream::new_stream_decoder(MEMORY, CONCATENATED).map_err(io::Error::from)?;
    Ok(XzDecoder::new_stream(input, stream))
}

fn zstd<R: BufRead>(input: R) -> io::Result<ZstdDecoder<'static, R>> {
    let mut decoder = ZstdDecoder::with_buffer(input)?;
    decoder.window_log_max(LONGEST_WINDOW)?;
    Ok(decoder)
}
