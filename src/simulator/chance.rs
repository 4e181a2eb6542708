//! Chance, by a seed; and what the network does to a call.

use rand::{Rng, SeedableRng, rngs::StdRng};

/// All that is left to chance.
pub(super) struct Chance(StdRng);

/// What becomes of a call, in milliseconds from when it is sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fate {
    /// When it comes to the centre; none: never.
    pub(super) arrives: Option<u64>,
    /// When it comes there a second time.
    pub(super) again: Option<u64>,
    /// How long the answer takes from there; none: it is lost.
    pub(super) answer: Option<u64>,
    /// The server in front refuses with this status, and the centre hears nothing.
    pub(super) refused: Option<u16>,
}

// === impl Chance ===

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// True so often of a thousand times.
    pub(super) fn of_thousand(&mut self, times: u32) -> bool {
        self.0.random_range(0..1000) < times
    }

    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.random_range(low..high)
    }

    pub(super) fn index(&mut self, len: usize) -> usize {
        self.0.random_range(0..len)
    }

    /// From 0 to 1.
    pub(super) fn share(&mut self) -> f64 {
        self.0.random()
    }

    pub(super) fn number(&mut self) -> u128 {
        self.0.random()
    }

    /// Over a network that does this to so many of a thousand calls.
    pub(super) fn fate(&mut self, faults: u32) -> Fate {
        let good = Fate { arrives: Some(self.between(1, 40)), answer: Some(self.between(1, 160)), ..Fate::default() };
        if !self.of_thousand(faults) {
            return good;
        }
        match self.index(6) {
            0 => Fate { arrives: None, ..good },
            1 => Fate { answer: None, ..good },
            2 => Fate { again: Some(self.between(20, 40_000)), ..good },
            // Later than anybody waits.
            3 => Fate { arrives: Some(self.between(5_000, 40_000)), ..good },
            4 => Fate { answer: Some(self.between(5_000, 15_000)), ..good },
            _ => Fate { refused: Some(if self.of_thousand(500) { 500 } else { 503 }), ..good },
        }
    }
}
