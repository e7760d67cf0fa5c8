//! What a run that got to its end did.

use crate::MemoryCost;
use crate::recording::Recorded;
use crate::session::{Run, RunStatus};
use lanescope_capture::Verdict;
use lanescope_profiling::DrainStats;
use std::path::PathBuf;
use std::time::Duration;

/// A run that got to its end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunOutcome {
    /// The run's number in its session.
    pub run_id: u32,
    /// Tasks of the graph.
    pub tasks: u64,
    /// Whether every task has its record; when nothing is recorded, whether every task was dispatched once.
    pub verdict: Verdict,
    /// Tokens dispatched per core.
    pub dispatched: Vec<u64>,
    /// Tokens proven finished per core.
    pub completed: Vec<u64>,
    /// First token of each core.
    pub first_tokens: Vec<u32>,
    /// Ticks from the first AICPU thread's entry to the last word of the last one.
    pub device_ticks: u64,
    /// Rate of those ticks.
    pub ticks_per_second: u64,
    /// Host time from the call to its end, uploads included.
    pub elapsed: Duration,
    /// The capture file, where one was asked for.
    pub capture: Option<PathBuf>,
    /// Device memory that recording the run took.
    pub memory: MemoryCost,
    /// What the drain thread did; nothing when nothing was recorded.
    pub drain: Option<DrainStats>,
    /// Bytes copied through the mapping of the control region since the session was opened.
    pub control_copied_bytes: u64,
}

impl RunOutcome {
    pub(crate) fn new(
        run: &Run<'_>,
        status: &RunStatus,
        recorded: Recorded,
        elapsed: Duration,
    ) -> Self {
        let (begin, end) = status.bounds.map_or((0, 0), |bounds| bounds.device_ticks);
        Self {
            run_id: run.run_id,
            tasks: u64::from(run.sizes.tasks),
            verdict: recorded.verdict,
            dispatched: status.dispatched.clone().unwrap_or_default(),
            completed: status.completed.clone().unwrap_or_default(),
            first_tokens: run.cores.iter().map(|core| core.first_token).collect(),
            device_ticks: end - begin,
            ticks_per_second: run.chip.ticks_per_second,
            elapsed,
            capture: recorded.capture,
            memory: MemoryCost::default(),
            drain: recorded.drain,
            control_copied_bytes: run.control.copied_bytes(),
        }
    }
}
