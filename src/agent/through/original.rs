//! The data of an image on this node, compared with its piece list while it is read.

use super::{bases::Bases, shelf::Shelf};
use crate::agent::lists::FileId;
use crate::base::pieces::{Chain, PIECE_BYTES, PieceHasher, Pieces};
use crate::image::ImageId;
use bytes::Bytes;
use futures_util::Stream;
use std::{fs::File, io, ops::Range, os::unix::fs::FileExt, sync::Arc};
use tokio::task::spawn_blocking;

/// An image's data, open to be read.
#[derive(Clone, Debug)]
pub(super) struct Original {
    pub(super) file: Arc<File>,
    pub(super) pieces: Arc<Pieces>,
    pub(super) place: Place,
}

/// Where it is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Shelf(Arc<Shelf>, ImageId),
    Base(Arc<Bases>, String, FileId),
}

/// Bytes that are read at a time.
const BLOCK: u64 = 1 << 20;

// === impl Original ===

impl Original {
    /// Whether the piece with this byte is what it was; one that is not is not read again.
    pub(super) async fn is_good_at(&self, byte: u64) -> bool {
        self.check(piece_of(byte)).await.is_ok()
    }

    /// The bytes of `range`; each piece is compared before any of its bytes are given, and a wrong one is an error.
    pub(super) fn read(self, range: Range<u64>) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static {
        async_stream::try_stream! {
            let mut at = range.start;
            let mut checked = None;
            while at < range.end {
                let piece = piece_of(at);
                if checked != Some(piece) {
                    self.check(piece).await?;
                    checked = Some(piece);
                }
                let end = range.end.min(self.pieces.range(piece).map_or(at, |it| it.end)).min(at + BLOCK);
                let (file, len) = (self.file.clone(), end.saturating_sub(at));
                // From the page cache, mostly: the comparison has just read it.
                let bytes = spawn_blocking(move || block(&file, at, len)).await.map_err(io::Error::other)??;
                at = end;
                yield bytes;
            }
        }
    }

    async fn check(&self, piece: usize) -> io::Result<()> {
        let this = self.clone();
        let compare = move || {
            let is_good = this.compare(piece);
            if !matches!(is_good, Ok(true)) {
                match &this.place {
                    Place::Shelf(shelf, id) => shelf.condemn(id),
                    Place::Base(bases, base, file) => bases.condemn(base, *file),
                }
            }
            match is_good {
                Ok(true) => Ok(()),
                Ok(false) => Err(io::Error::other(format!("piece {} is not what it was", piece + 1))),
                Err(error) => Err(error),
            }
        };
        spawn_blocking(compare).await.unwrap_or_else(|died| Err(io::Error::other(died)))
    }

    fn compare(&self, piece: usize) -> io::Result<bool> {
        let Some(range) = self.pieces.range(piece) else { return Ok(false) };
        let mut hasher = PieceHasher::default();
        hasher.skip_to(piece);
        for at in range.clone().step_by(BLOCK as usize) {
            hasher.update(&block(&self.file, at, BLOCK.min(range.end - at))?);
        }
        let got: Option<Chain> = hasher.closed().get(piece).copied().or_else(|| hasher.open());
        Ok(got.as_ref() == self.pieces.chains().get(piece))
    }
}

fn piece_of(byte: u64) -> usize {
    usize::try_from(byte / PIECE_BYTES).unwrap_or(usize::MAX)
}

/// `len` bytes from `at` on.
pub(super) fn block(file: &File, at: u64, len: u64) -> io::Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes.into())
}
