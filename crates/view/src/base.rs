//! The page's time: how far a tick is from the run's first, with 0 for what is not known.

use crate::ViewError;
use lanescope_trace::Trace;

/// The page's time: 0 is not known, 1 is the first known time of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base {
    origin_ticks: u64,
    span_ticks: u64,
}

/// A distance from one place to another, folded to be positive, must be exact in a browser's numbers.
const LIMIT_TICKS: u64 = 1 << 51;

impl Base {
    pub(crate) fn of(trace: &Trace) -> Result<Self, ViewError> {
        let (first, last) = trace.bounds_ticks().unwrap_or((0, 0));
        let span_ticks = last - first;
        if span_ticks >= LIMIT_TICKS {
            return Err(ViewError::TimeOutOfRange {
                span_ticks,
                limit_ticks: LIMIT_TICKS - 1,
            });
        }
        Ok(Self {
            origin_ticks: first,
            span_ticks,
        })
    }

    /// The run's first known time.
    pub(crate) const fn origin_ticks(self) -> u64 {
        self.origin_ticks
    }

    /// From the first known time to the last.
    pub(crate) const fn span_ticks(self) -> u64 {
        self.span_ticks
    }

    /// Where a time stands; what lies outside the run stands at its border.
    #[inline]
    pub(crate) fn place(self, ticks: u64) -> u64 {
        if ticks == 0 {
            return 0;
        }
        let distance = ticks.saturating_sub(self.origin_ticks);
        distance.min(self.span_ticks) + 1
    }
}
