//! A file against its list.

use crate::base::pieces::{Block, Manner, PIECE_BYTES, PieceHasher, Pieces, Way, walk};
use std::{fmt::Write, io, ops::ControlFlow, path::Path};

/// Pieces that are read a second time, and named; where so many are wrong, all are.
const NAMED: usize = 8;

/// What is wrong with a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) piece: usize,
    /// What the system said when it could not be read at all.
    pub(super) error: Option<String>,
}

/// Reads a file once, as long as its list; the pieces that are not as listed. None when it was stopped.
///
/// # Errors
/// When it cannot be opened.
pub(super) fn compare(
    path: &Path,
    list: &Pieces,
    manner: Manner<'_>,
    progress: &dyn Fn(u64),
) -> io::Result<Option<Vec<Bad>>> {
    let mut check = Check { list, hasher: PieceHasher::default(), at: 0, bad: Vec::new() };
    let all = walk(path, (0, list.size()), manner, |block| {
        match block {
            Block::Data(bytes) => check.take(bytes),
            Block::Unreadable(len, error) => check.skip(len, &error),
        }
        progress(check.at);
        ControlFlow::Continue(())
    })?;
    Ok(all.then(|| check.finish()))
}

/// The same for some of its pieces.
pub(super) fn compare_again(path: &Path, list: &Pieces, pieces: &[Bad]) -> io::Result<Vec<Bad>> {
    let mut still = Vec::new();
    for suspect in pieces.iter().take(NAMED) {
        let Some(range) = list.range(suspect.piece) else { continue };
        let mut bytes = Vec::with_capacity(usize::try_from(range.end - range.start).unwrap_or(0));
        let mut trouble = None;
        walk(path, (range.start, range.end), Manner::quick(Way::Disk), |block| {
            match block {
                Block::Data(some) => bytes.extend_from_slice(some),
                Block::Unreadable(_, error) => trouble = Some(error.to_string()),
            }
            ControlFlow::Continue(())
        })?;
        if trouble.is_some() || !list.verify(suspect.piece, &bytes) {
            still.push(Bad { piece: suspect.piece, error: trouble });
        }
    }
    Ok(still)
}

/// `piece 3 of 512 (bytes 50331648 to 67108863) is not what it was`.
pub(super) fn in_words(list: &Pieces, bad: &[Bad], all: usize) -> String {
    let mut text = String::new();
    for (number, it) in bad.iter().enumerate() {
        let range = list.range(it.piece).unwrap_or(0..0);
        let comma = if number == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}piece {} of {}", it.piece + 1, list.count());
        let _ = write!(text, " (bytes {} to {})", range.start, range.end.saturating_sub(1));
        match &it.error {
            Some(error) => drop(write!(text, " cannot be read: {error}")),
            None => text.push_str(" is not what it was"),
        }
    }
    if all > bad.len() {
        let _ = write!(text, ", and {} more", all - bad.len());
    }
    text
}

struct Check<'a> {
    list: &'a Pieces,
    hasher: PieceHasher,
    at: u64,
    bad: Vec<Bad>,
}

// === impl Check ===

impl Check<'_> {
    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let piece = self.piece();
            let room = (piece as u64 + 1) * PIECE_BYTES - self.at;
            let (now, later) = bytes.split_at(usize::try_from(room).map_or(bytes.len(), |it| it.min(bytes.len())));
            self.at += now.len() as u64;
            bytes = later;
            // What is left of a piece that could not be read in full says nothing.
            if self.bad.last().is_some_and(|it| it.piece == piece) {
                continue;
            }
            self.hasher.update(now);
            if self.at.is_multiple_of(PIECE_BYTES) {
                self.compare(piece, self.hasher.closed().get(piece).copied());
            }
        }
    }

    fn skip(&mut self, len: u64, error: &io::Error) {
        let end = self.at + len;
        while self.at < end {
            let piece = self.piece();
            if self.bad.last().is_none_or(|it| it.piece != piece) {
                self.bad.push(Bad { piece, error: Some(error.to_string()) });
            }
            self.hasher.skip_to(piece + 1);
            self.at = end.min((piece as u64 + 1) * PIECE_BYTES);
        }
    }

    fn piece(&self) -> usize {
        usize::try_from(self.at / PIECE_BYTES).unwrap_or(usize::MAX)
    }

    fn compare(&mut self, piece: usize, got: Option<crate::base::pieces::Chain>) {
        if got.as_ref() != self.list.chains().get(piece) {
            self.bad.push(Bad { piece, error: None });
        }
    }

    fn finish(mut self) -> Vec<Bad> {
        if !self.at.is_multiple_of(PIECE_BYTES) {
            let piece = self.piece();
            if self.bad.last().is_none_or(|it| it.piece != piece) {
                self.compare(piece, self.hasher.open());
            }
        }
        self.bad
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: usize = PIECE_BYTES as usize;

    fn data() -> Vec<u8> {
        let mut data = vec![0; 4 * PIECE + 1000];
        blake3::Hasher::new().finalize_xof().fill(&mut data);
        data
    }

    fn list(data: &[u8]) -> Pieces {
        let mut hasher = PieceHasher::default();
        hasher.update(data);
        hasher.finish()
    }

    /// What is found when `unreadable` blocks of 4 MiB cannot be read.
    fn check(list: &Pieces, data: &[u8], unreadable: &[usize]) -> Vec<(usize, bool)> {
        let mut check = Check { list, hasher: PieceHasher::default(), at: 0, bad: Vec::new() };
        for (number, block) in data.chunks(4 << 20).enumerate() {
            if unreadable.contains(&number) {
                check.skip(block.len() as u64, &io::Error::other("EIO"));
            } else {
                block.chunks(65536).for_each(|it| check.take(it));
            }
        }
        assert_eq!(check.at, data.len() as u64);
        check.finish().into_iter().map(|it| (it.piece, it.error.is_some())).collect()
    }

    #[test]
    fn every_piece_that_is_wrong_or_unreadable_is_found_and_no_other() {
        let good = data();
        let list = list(&good);
        assert_eq!(check(&list, &good, &[]), []);
        // Four blocks a piece; 16 is the short one at the end.
        for (unreadable, want) in [
            (vec![0], vec![0]),
            (vec![3], vec![0]),
            (vec![4, 5], vec![1]),
            (vec![3, 4], vec![0, 1]),
            (vec![7, 9, 16], vec![1, 2, 4]),
            ((0..17).collect(), (0..5).collect()),
        ] {
            let want: Vec<_> = want.into_iter().map(|it| (it, true)).collect();
            assert_eq!(check(&list, &good, &unreadable), want, "{unreadable:?}");
        }
        for (at, piece) in [(0, 0), (PIECE - 1, 0), (PIECE, 1), (4 * PIECE, 4), (good.len() - 1, 4)] {
            let mut flipped = good.clone();
            flipped[at] ^= 1;
            assert_eq!(check(&list, &flipped, &[]), [(piece, false)], "byte {at}");
        }
        let mut flipped = good.clone();
        flipped[3 * PIECE] ^= 1;
        assert_eq!(check(&list, &flipped, &[5]), [(1, true), (3, false)]);
    }

    #[test]
    fn damage_reads_well() {
        let list = list(&data());
        let bad = |piece, error: Option<&str>| Bad { piece, error: error.map(str::to_owned) };
        let text = in_words(&list, &[bad(0, None), bad(4, Some("Input/output error"))], 7);
        assert_eq!(
            text,
            "piece 1 of 5 (bytes 0 to 16777215) is not what it was, piece 5 of 5 (bytes 67108864 to 67109863) cannot be \
             read: Input/output error, and 5 more"
        );
    }
}
