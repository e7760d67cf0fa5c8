//! How long a randomised test goes on, with which seeds, and what it tried.
//!
//! # Where it sits
//!
//! A dependency of tests alone. A test asks its [`Effort`] for seeds until there are no more. Under
//! `cargo test` that is a fixed number of cases with the same seeds every time; `cargo xtask stress`
//! gives each test seconds instead of a number, and a first seed of its own, and adds up what the
//! tests print when they end:
//!
//! ```text
//! stress: test=ring_model seeds=4096 interleavings=0 runs=4096 faults=0 bytes=65536
//! stress: test=ring_model failed seed=17
//! ```
//!
//! # Example
//!
//! ```
//! use lanescope_stress::{Effort, Tried};
//!
//! let effort = Effort::new("doubling", 100);
//! while let Some(seed) = effort.next_seed() {
//!     assert_eq!(seed.wrapping_mul(2), seed.wrapping_add(seed));
//!     effort.add(Tried::Runs, 1);
//! }
//! ```

mod aligned;
mod allocation;
#[cfg(loom)]
mod interleavings;
mod numbers;

pub use aligned::Aligned;
pub use allocation::Counting;
#[cfg(loom)]
pub use interleavings::explore;
pub use numbers::Numbers;
#[cfg(feature = "proptest")]
pub use numbers::{cases_of, property};

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Seconds that each test goes on; without it, its fixed number of cases.
pub const SECONDS_VARIABLE: &str = "LANESCOPE_STRESS_SECONDS";
/// The first seed; 0 without it. A test that failed with a seed fails again when it is the first.
pub const SEED_VARIABLE: &str = "LANESCOPE_STRESS_SEED";
/// A file for the seed that is being tried, so that it is known of a test that hangs.
pub const SEED_FILE_VARIABLE: &str = "LANESCOPE_STRESS_SEED_FILE";

/// What a test tries, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// Schedules of threads that a model checker went through.
    Interleavings,
    /// Runs of a device, or of a model of one.
    Runs,
    /// Faults injected.
    Faults,
    /// Hostile bytes given to a decoder.
    Bytes,
}

impl Tried {
    /// All of them, in the order they are printed.
    pub const ALL: [Self; 4] = [Self::Interleavings, Self::Runs, Self::Faults, Self::Bytes];

    /// As it is printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interleavings => "interleavings",
            Self::Runs => "runs",
            Self::Faults => "faults",
            Self::Bytes => "bytes",
        }
    }
}

/// The effort of one randomised test.
#[derive(Debug)]
pub struct Effort {
    test: &'static str,
    end: End,
    first: u64,
    given: Cell<u64>,
    tried: [Cell<u64>; Tried::ALL.len()],
}

#[derive(Clone, Copy, Debug)]
enum End {
    Cases(u64),
    At(Instant),
}

impl Effort {
    /// For the test function `test`, which goes through `cases` seeds unless it is under stress.
    ///
    /// # Panics
    ///
    /// When an environment variable of this crate holds no number.
    #[must_use]
    pub fn new(test: &'static str, cases: u64) -> Self {
        let end = match number(SECONDS_VARIABLE) {
            Some(seconds) => End::At(Instant::now() + Duration::from_secs(seconds)),
            None => End::Cases(cases),
        };
        Self {
            test,
            end,
            first: number(SEED_VARIABLE).unwrap_or(0),
            given: Cell::new(0),
            tried: Default::default(),
        }
    }

    /// The next seed; `None` when it is enough. There is always a first.
    ///
    /// # Panics
    ///
    /// Under stress, when the file that is to hold the seed cannot be written.
    #[must_use]
    pub fn next_seed(&self) -> Option<u64> {
        let given = self.given.get();
        let goes_on = match self.end {
            End::Cases(cases) => given < cases.max(1),
            End::At(end) => given == 0 || Instant::now() < end,
        };
        goes_on.then(|| {
            self.given.set(given + 1);
            let seed = self.first.wrapping_add(given);
            if self.is_stress()
                && let Some(file) = std::env::var_os(SEED_FILE_VARIABLE)
            {
                std::fs::write(file, seed.to_string()).expect("who asked for the file can have it");
            }
            seed
        })
    }

    /// Whether the test is under stress, and so may go to larger bounds.
    #[must_use]
    pub fn is_stress(&self) -> bool {
        matches!(self.end, End::At(_))
    }

    /// Time left; `None` when the test ends after a number of cases.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        match self.end {
            End::Cases(_) => None,
            End::At(end) => Some(end.saturating_duration_since(Instant::now())),
        }
    }

    /// Counts what was tried.
    pub fn add(&self, tried: Tried, number: u64) {
        let count = &self.tried[tried as usize];
        count.set(count.get().saturating_add(number));
    }
}

impl Drop for Effort {
    #[expect(clippy::print_stdout, reason = "what `cargo xtask stress` reads")]
    fn drop(&mut self) {
        let given = self.given.get();
        if std::thread::panicking() {
            let seed = self.first.wrapping_add(given.saturating_sub(1));
            println!("stress: test={} failed seed={seed}", self.test);
            return;
        }
        let mut line = format!("stress: test={} seeds={given}", self.test);
        for (tried, count) in Tried::ALL.iter().zip(&self.tried) {
            line.push_str(&format!(" {}={}", tried.name(), count.get()));
        }
        println!("{line}");
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{variable} is {text:?}; expected a number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_follow_each_other_until_it_is_enough() {
        let effort = Effort {
            test: "a test",
            end: End::Cases(3),
            first: u64::MAX,
            given: Cell::new(0),
            tried: Default::default(),
        };
        let seeds: Vec<_> = std::iter::from_fn(|| effort.next_seed()).collect();
        assert_eq!(seeds, [u64::MAX, 0, 1]);
    }

    #[test]
    fn a_test_without_time_still_has_one_case() {
        let effort = Effort {
            test: "a test",
            end: End::At(Instant::now()),
            first: 5,
            given: Cell::new(0),
            tried: Default::default(),
        };
        assert_eq!(effort.next_seed(), Some(5));
        assert_eq!(effort.next_seed(), None);
    }
}
