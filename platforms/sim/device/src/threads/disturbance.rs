//! Disturbance: what a seed does to an agent, so that races that are rare become common.

use crate::cost::Random;
use std::time::Duration;

/// One call in so many yields the CPU.
const CALLS_A_YIELD: u64 = 256;
/// One call in so many sleeps.
const CALLS_A_SLEEP: u64 = 4096;
/// The longest such sleep.
const LONGEST_SLEEP_NS: u64 = 100_000;

/// The disturbance of one agent.
#[derive(Debug)]
pub struct Disturbance {
    random: Random,
    is_on: bool,
}

impl Disturbance {
    /// With these labels; none for seed 0.
    #[must_use]
    pub fn new(seed: u64, labels: &[u64]) -> Self {
        Self {
            random: Random::new(seed, labels),
            is_on: seed != 0,
        }
    }

    /// Whether there is any.
    #[must_use]
    #[inline]
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Happens once in `times`; never without a seed.
    #[inline]
    pub fn happens(&mut self, times: u64) -> bool {
        self.is_on && self.random.below(times) == 0
    }

    /// An index below `length`; 0 without a seed.
    #[inline]
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.random.below(length as u64)).unwrap_or(0)
    }

    /// A call begins: perhaps another thread goes first.
    #[inline]
    pub fn at_call(&mut self) {
        if !self.happens(CALLS_A_YIELD) {
            return;
        }
        if self.happens(CALLS_A_SLEEP / CALLS_A_YIELD) {
            std::thread::sleep(Duration::from_nanos(self.random.below(LONGEST_SLEEP_NS)));
        } else {
            std::thread::yield_now();
        }
    }
}
