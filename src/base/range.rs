//! A run of bytes in something longer.

use std::ops::Range;

/// `start..end`, in bytes; never backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByteRange {
    start: u64,
    end: u64,
}

impl ByteRange {
    /// From `start` up to but without `end`; none when it would run backwards.
    pub fn new(start: u64, end: u64) -> Option<Self> {
        (start <= end).then_some(Self { start, end })
    }

    /// All of something that is `len` long.
    pub fn whole(len: u64) -> Self {
        Self { start: 0, end: len }
    }

    /// The first byte.
    pub fn start(self) -> u64 {
        self.start
    }

    /// One past the last byte.
    pub fn end(self) -> u64 {
        self.end
    }

    /// How many bytes.
    pub fn len(self) -> u64 {
        self.end - self.start
    }

    /// True when there is no byte in it.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

impl From<ByteRange> for Range<u64> {
    fn from(range: ByteRange) -> Self {
        range.start..range.end
    }
}
