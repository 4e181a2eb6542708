//! Cuts a stream into aligned blocks, and finds the zeros in them, without copying a byte.

use crate::base::sparse::HOLE_BYTES;
use bytes::Bytes;
use std::mem;

/// Bytes of a block, which is one write. A power of two, and no larger than an object.
pub(super) const BLOCK: usize = 1 << 20;

/// The pieces of a block, in order.
pub(super) type Pieces = Vec<Bytes>;

/// Collects pieces until they make a block.
#[derive(Default)]
pub(super) struct Cutter {
    pieces: Pieces,
    length: usize,
}

// === impl Cutter ===

impl Cutter {
    /// Takes a piece; gives back the blocks that are full.
    pub(super) fn push(&mut self, mut piece: Bytes) -> Vec<Pieces> {
        let mut full = Vec::new();
        while !piece.is_empty() {
            let part = piece.split_to(piece.len().min(BLOCK - self.length));
            self.length += part.len();
            self.pieces.push(part);
            if self.length == BLOCK {
                full.extend(self.take());
            }
        }
        full
    }

    /// What is left, if anything.
    pub(super) fn take(&mut self) -> Option<Pieces> {
        self.length = 0;
        Some(mem::take(&mut self.pieces)).filter(|it| !it.is_empty())
    }
}

/// The parts of a block that are not zeros, with where they begin in it.
pub(super) fn data(block: Pieces) -> Vec<(u64, Pieces)> {
    let mut runs: Vec<(u64, Pieces)> = Vec::new();
    let (mut at, mut end) = (0, None);
    for unit in units(block) {
        let length: usize = unit.iter().map(Bytes::len).sum();
        if !unit.iter().all(|it| it.iter().all(|byte| *byte == 0)) {
            match runs.last_mut().filter(|_| end == Some(at)) {
                Some((_, run)) => run.extend(unit),
                None => runs.push((at as u64, unit)),
            }
            end = Some(at + length);
        }
        at += length;
    }
    runs
}

/// The block in parts of [`HOLE_BYTES`].
fn units(block: Pieces) -> Vec<Pieces> {
    let (mut units, mut unit, mut length) = (Vec::new(), Pieces::new(), 0);
    for mut piece in block {
        while !piece.is_empty() {
            let part = piece.split_to(piece.len().min(HOLE_BYTES - length));
            length += part.len();
            unit.push(part);
            if length == HOLE_BYTES {
                units.push(mem::take(&mut unit));
                length = 0;
            }
        }
    }
    units.extend(Some(unit).filter(|it| !it.is_empty()));
    units
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn blocks_and_runs_hold_every_byte(cuts in prop::collection::vec(1_usize..700_000, 1..9), zeros in prop::collection::vec(any::<bool>(), 9)) {
            let (mut cutter, mut blocks, mut want) = (Cutter::default(), Vec::new(), Vec::new());
            for (at, (cut, zero)) in cuts.iter().zip(&zeros).enumerate() {
                let piece = vec![if *zero { 0 } else { at as u8 + 1 }; *cut];
                want.extend_from_slice(&piece);
                blocks.extend(cutter.push(piece.into()));
            }
            prop_assert!(blocks.iter().all(|it| it.iter().map(Bytes::len).sum::<usize>() == BLOCK));
            blocks.extend(cutter.take());
            let mut got = vec![0; want.len()];
            let mut written = 0;
            for (at, block) in blocks.into_iter().enumerate() {
                for (offset, run) in data(block) {
                    let start = at * BLOCK + offset as usize;
                    let run = run.concat();
                    prop_assert!(start.is_multiple_of(HOLE_BYTES));
                    got[start..start + run.len()].copy_from_slice(&run);
                    written += run.len();
                }
            }
            prop_assert!(got == want);
            let holes = want.chunks(HOLE_BYTES).filter(|it| it.iter().all(|byte| *byte == 0)).map(<[u8]>::len).sum::<usize>();
            prop_assert_eq!(written, want.len() - holes);
        }
    }
}
