//! The outcome of a host check, and the comparison behind it.

use crate::{Result, WorkloadError, WrongValues};
use std::fmt;

/// A check that passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Check {
    /// Values that were compared.
    pub compared: u64,
    /// The largest difference from the host's value.
    pub max_error: f64,
    /// What difference was allowed.
    pub tolerance: Tolerance,
}

/// How far a value may be from the host's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tolerance {
    /// Not at all: the bits are equal.
    Exact,
    /// By this much.
    Absolute(f64),
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact => f.write_str("bit for bit"),
            Self::Absolute(limit) => write!(f, "to within {limit:e}"),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tolerance {
            Tolerance::Exact => write!(f, "{} values equal bit for bit", self.compared),
            Tolerance::Absolute(limit) => write!(
                f,
                "{} values right, largest error {:.2e} of {limit:.0e} allowed",
                self.compared, self.max_error
            ),
        }
    }
}

impl Check {
    /// Both checks as one.
    pub(crate) fn and(self, other: Self) -> Self {
        let tolerance = match (self.tolerance, other.tolerance) {
            (Tolerance::Exact, wider) | (wider, Tolerance::Exact) => wider,
            (Tolerance::Absolute(one), Tolerance::Absolute(two)) => {
                Tolerance::Absolute(one.max(two))
            }
        };
        Self {
            compared: self.compared + other.compared,
            max_error: self.max_error.max(other.max_error),
            tolerance,
        }
    }
}

/// Gathers the comparisons of one tensor.
pub(crate) struct Comparison {
    pub(crate) workload: &'static str,
    pub(crate) tensor: &'static str,
    pub(crate) tolerance: Tolerance,
    compared: u64,
    wrong: u64,
    max_error: f64,
    first: Option<(String, String, String)>,
}

impl Comparison {
    pub(crate) fn new(workload: &'static str, tensor: &'static str, tolerance: Tolerance) -> Self {
        Self {
            workload,
            tensor,
            tolerance,
            compared: 0,
            wrong: 0,
            max_error: 0.0,
            first: None,
        }
    }

    /// Compares one f32 with the host's value; `place` says where it is if it is wrong.
    pub(crate) fn float(&mut self, found: f32, expected: f64, place: impl FnOnce() -> String) {
        let error = (f64::from(found) - expected).abs();
        // A NaN compares as neither smaller nor larger, so it must not count as right.
        let right = match self.tolerance {
            Tolerance::Exact => f64::from(found).to_bits() == expected.to_bits(),
            Tolerance::Absolute(limit) => error <= limit,
        };
        self.count(right, || (place(), found.to_string(), expected.to_string()));
        self.max_error = self.max_error.max(error);
    }

    /// Compares one mark with the host's value, bit for bit.
    pub(crate) fn word(&mut self, found: u64, expected: u64, place: impl FnOnce() -> String) {
        self.count(found == expected, || {
            (place(), format!("{found:#x}"), format!("{expected:#x}"))
        });
    }

    fn count(&mut self, right: bool, wrong: impl FnOnce() -> (String, String, String)) {
        self.compared += 1;
        if !right {
            self.wrong += 1;
            if self.first.is_none() {
                self.first = Some(wrong());
            }
        }
    }

    pub(crate) fn finish(self) -> Result<Check> {
        match self.first {
            None => Ok(Check {
                compared: self.compared,
                max_error: self.max_error,
                tolerance: self.tolerance,
            }),
            Some((place, found, expected)) => Err(WorkloadError::Wrong(Box::new(WrongValues {
                workload: self.workload,
                tensor: self.tensor,
                wrong: self.wrong,
                compared: self.compared,
                place,
                found,
                expected,
                tolerance: self.tolerance.to_string(),
            }))),
        }
    }
}
