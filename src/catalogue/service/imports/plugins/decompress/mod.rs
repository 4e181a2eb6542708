//! `image_decompression`: what is compressed goes to the stores as what is in it.
//!
//! ```text
//!   body ─→ channel ─→ thread: decoder ─→ ratio ─→ channel ─→ body
//! ```
//!
//! Nothing is written in between, and memory is bounded: by the two channels, and by what a decoder may keep. How large the
//! whole may be is for whoever takes it to say.

mod decode;
mod error;
#[cfg(any(test, fuzzing))]
mod fuzzed;
mod input;
mod output;
#[cfg(test)]
mod tests;
mod zip;

pub(in crate::catalogue::service::imports) use error::DecompressError;
#[cfg(any(test, fuzzing))]
pub use fuzzed::check as fuzzed;

use super::Decompression;
use crate::catalogue::service::{BoxError, imports::source::Source};
use bytes::{Bytes, BytesMut};
use decode::run;
use futures_util::{StreamExt, stream, stream::BoxStream};
use input::Input;
use output::Output;
use std::{pin::pin, thread};
use tokio::sync::mpsc;

/// Pieces of either side that may wait.
const QUEUE: usize = 8;

/// What the first bytes tell by.
const MARK: usize = 6;

/// A kind of compression, told by the first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Gzip,
    Zip,
    Xz,
    Zstd,
    /// Recognised, as Glance does it, and not read.
    Lha,
}

/// The same data, or what is in it when it is compressed; then nobody knows its size yet.
///
/// # Errors
/// [`DecompressError`]; later ones are the body's.
pub(super) async fn decompress(source: Source, limits: Decompression) -> Result<Source, DecompressError> {
    let Source { mut body, size, file, changes } = source;
    let mut head = BytesMut::new();
    while head.len() < MARK {
        match body.next().await {
            Some(Ok(chunk)) => head.extend_from_slice(&chunk),
            Some(Err(error)) => {
                return Ok(Source { body: stream::iter([Err(error)]).boxed(), size, file: None, changes });
            }
            None => break,
        }
    }
    let head = head.freeze();
    let kind = Kind::of(&head);
    let body = stream::iter([Ok(head)]).chain(body).boxed();
    match kind {
        None => Ok(Source { body, size, file, changes }),
        Some(Kind::Lha) => Err(DecompressError::Lha),
        Some(kind) => Ok(Source { body: decompressed(body, kind, limits)?, size: None, file: None, changes }),
    }
}

/// What comes out of a thread of its own, which ends when nobody wants it any more.
fn decompressed(
    mut body: BoxStream<'static, Result<Bytes, BoxError>>,
    kind: Kind,
    limits: Decompression,
) -> Result<BoxStream<'static, Result<Bytes, BoxError>>, DecompressError> {
    let (feed, fed) = mpsc::channel(QUEUE);
    let (give, mut given) = mpsc::channel(QUEUE);
    let work = move || {
        let input = Input::new(fed);
        let output = Output::new(give, limits, input.count());
        run(kind, input, output);
    };
    thread::Builder::new().name("decompress".to_owned()).spawn(work).map_err(DecompressError::Thread)?;
    let pieces = async_stream::stream! {
        let feeding = async move {
            while let Some(chunk) = body.next().await {
                // It wants no more.
                if feed.send(chunk).await.is_err() {
                    break;
                }
            }
        };
        let mut feeding = pin!(feeding);
        let mut fed = false;
        loop {
            let piece = tokio::select! {
                () = &mut feeding, if !fed => {
                    fed = true;
                    continue;
                }
                piece = given.recv() => piece,
            };
            match piece {
                Some(piece) => yield piece,
                None => break,
            }
        }
    };
    Ok(pieces.boxed())
}

// === impl Kind ===

impl Kind {
    /// Glance's marks, and those of xz and zstd.
    fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, 0x08, ..] => Some(Self::Gzip),
            [b'P', b'K', 3, 4, ..] => Some(Self::Zip),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            [_, _, b'-', b'l', b'h', ..] => Some(Self::Lha),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zip => "zip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Lha => "lha",
        }
    }
}
