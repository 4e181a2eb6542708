//! Data that can be made again at any place, so that none of it is kept: noise with runs of zeros in it, since stores may
//! leave those out.

use std::ops::Range;

/// Bytes of noise or of zeros at once.
const RUN: u64 = 64 << 10;

/// Data of a length; equal seeds have equal bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pattern {
    seed: u64,
    pub(super) len: u64,
}

// === impl Pattern ===

impl Pattern {
    pub(super) fn new(len: u64) -> Self {
        Self { seed: rand::random(), len }
    }

    /// The bytes of `range`, which need not be long.
    pub(super) fn bytes(&self, range: Range<u64>) -> Vec<u8> {
        let mut out = Vec::with_capacity((range.end - range.start) as usize + 8);
        let mut at = range.start;
        while at < range.end {
            let word =
                if mix(self.seed ^ (at / RUN)).is_multiple_of(3) { 0 } else { mix(self.seed.wrapping_add(at / 8)) };
            let skip = (at % 8) as usize;
            out.extend_from_slice(&word.to_le_bytes()[skip..]);
            at += 8 - skip as u64;
        }
        out.truncate((range.end - range.start) as usize);
        out
    }

    /// The first byte that differs, when `got` stands at `at`.
    pub(super) fn differs(&self, at: u64, got: &[u8]) -> Option<u64> {
        let want = self.bytes(at..at + got.len() as u64);
        if want == got {
            return None;
        }
        want.iter().zip(got).position(|(a, b)| a != b).map(|it| at + it as u64)
    }
}

/// One step of splitmix64.
fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Pattern, RUN};

    #[test]
    fn any_part_is_a_part_of_the_whole() {
        let data = Pattern { seed: 3, len: 8 * RUN + 5 };
        let whole = data.bytes(0..data.len);
        assert_eq!(whole.len() as u64, data.len);
        for (from, to) in [(0, 1), (7, 9), (RUN - 3, RUN + 3), (12_345, 400_001), (data.len - 1, data.len), (9, 9)] {
            assert!(data.bytes(from..to) == whole[from as usize..to as usize], "{from}..{to}");
        }
        let runs: Vec<bool> = whole.chunks(RUN as usize).map(|it| it.iter().all(|byte| *byte == 0)).collect();
        assert!(runs.contains(&true) && runs.contains(&false), "{runs:?}");
        let mut wrong = whole[100..200].to_vec();
        assert_eq!(data.differs(100, &wrong), None);
        wrong[50] ^= 1;
        assert_eq!(data.differs(100, &wrong), Some(150));
    }
}
