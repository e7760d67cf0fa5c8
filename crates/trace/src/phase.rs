//! What the AICPU threads did besides running tasks: scheduler and orchestrator phases.
//!
//! A capture of today holds none; the reference's files do.

/// One step of a scheduler thread's loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchedulerPhase {
    /// When it began, in ticks.
    pub start_ticks: u64,
    /// When it ended.
    pub end_ticks: u64,
    /// The reference's number: 0 complete, 1 dispatch, 2 scan, 3 idle.
    pub phase: u32,
    /// The loop's round.
    pub loop_iter: u64,
    /// Tasks completed or dispatched in it.
    pub tasks_processed: u64,
    /// Ready-queue hits and misses, where the source counts them.
    pub pops: Option<(u64, u64)>,
}

impl SchedulerPhase {
    /// The names, by number.
    pub const NAMES: [&'static str; 4] = ["complete", "dispatch", "scan", "idle"];

    /// The name of the phase, `unknown` when it has none.
    #[must_use]
    pub fn name(&self) -> &'static str {
        usize::try_from(self.phase)
            .ok()
            .and_then(|phase| Self::NAMES.get(phase))
            .copied()
            .unwrap_or("unknown")
    }
}

/// One step of the orchestrator, the AICPU thread that submits tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrchestratorPhase {
    /// When it began, in ticks.
    pub start_ticks: u64,
    /// When it ended.
    pub end_ticks: u64,
    /// The reference's number, 16..=24.
    pub phase: u32,
    /// The submission it belongs to.
    pub submit_index: u64,
    /// The task it submits; `u64::MAX` when none.
    pub task_id: u64,
}

impl OrchestratorPhase {
    /// The number of the first of [`Self::NAMES`].
    pub const FIRST: u32 = 16;
    /// The names, from [`Self::FIRST`].
    pub const NAMES: [&'static str; 9] = [
        "orch_sync",
        "orch_alloc",
        "orch_params",
        "orch_lookup",
        "orch_heap",
        "orch_insert",
        "orch_fanin",
        "orch_finalize",
        "orch_scope_end",
    ];

    /// The name of the phase, `unknown` when it has none.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.phase
            .checked_sub(Self::FIRST)
            .and_then(|position| usize::try_from(position).ok())
            .and_then(|position| Self::NAMES.get(position))
            .copied()
            .unwrap_or("unknown")
    }
}

/// The orchestrator's totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orchestrator {
    /// When it began, in ticks.
    pub start_ticks: u64,
    /// When it ended.
    pub end_ticks: u64,
    /// Tasks submitted.
    pub submit_count: i64,
    /// Ticks spent in each of [`Self::PHASES`].
    pub phase_ticks: [u64; 8],
}

impl Orchestrator {
    /// The names of the totals, in file order.
    pub const PHASES: [&'static str; 8] = [
        "sync",
        "alloc",
        "params",
        "lookup",
        "heap",
        "insert",
        "fanin",
        "scope_end",
    ];
}
