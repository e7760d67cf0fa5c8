//! What the AICPU threads did besides running tasks: scheduler and orchestrator phases.

use crate::Session;
use crate::rows::Row;
use lanescope_abi::PhaseRecord;
use lanescope_abi::record::PhaseKind;

/// One step of a scheduler thread's loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchedulerPhase {
    /// When it began, in ticks.
    pub start_ticks: u64,
    /// When it ended.
    pub end_ticks: u64,
    /// 0 complete, 1 dispatch, 2 scan, 3 idle, as the reference numbers them; ours are
    /// 4 blocked and 5 dump.
    pub phase: u32,
    /// The loop's round in which it began.
    pub loop_iter: u64,
    /// Tasks completed or dispatched in it.
    pub tasks_processed: u64,
    /// Rounds of the loop that it lasted, where the source counts them; else 0.
    pub rounds: u64,
    /// Ready-queue hits and misses, where the source counts them.
    pub pops: Option<(u64, u64)>,
}

impl SchedulerPhase {
    /// Reading status, committing, releasing successors.
    pub const COMPLETE: u32 = 0;
    /// Taking ready tasks and writing tokens.
    pub const DISPATCH: u32 = 1;
    /// Nothing to do; one phase for a whole stretch.
    pub const IDLE: u32 = 3;
    /// Waiting for the host to give a buffer or room back; lies inside another phase or between two.
    pub const BLOCKED: u32 = 4;
    /// Copying tensors; one phase for a whole stretch.
    pub const DUMP: u32 = 5;
    /// The names, by number.
    pub const NAMES: [&'static str; 6] =
        ["complete", "dispatch", "scan", "idle", "blocked", "dump"];

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

impl Row for SchedulerPhase {
    type Record = PhaseRecord;

    fn of(record: &PhaseRecord, _thread: u32, _session: &Session) -> Option<Self> {
        let phase = match PhaseKind::from_raw(record.phase)? {
            PhaseKind::Complete => Self::COMPLETE,
            PhaseKind::Dispatch => Self::DISPATCH,
            PhaseKind::Idle => Self::IDLE,
            PhaseKind::Blocked => Self::BLOCKED,
            PhaseKind::Dump => Self::DUMP,
            _ => return None,
        };
        let count = u64::from(record.tasks);
        let (tasks_processed, rounds) = match phase {
            Self::COMPLETE | Self::DISPATCH => (count, 1),
            _ => (0, count),
        };
        let looked = record.hits != 0 || record.misses != 0;
        let pops = (u64::from(record.hits), u64::from(record.misses));
        Some(Self {
            start_ticks: record.begin_ticks,
            end_ticks: record.end_ticks,
            phase,
            loop_iter: u64::from(record.round),
            tasks_processed,
            rounds,
            pops: (looked || phase == Self::DISPATCH).then_some(pops),
        })
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

impl Row for OrchestratorPhase {
    type Record = PhaseRecord;

    fn of(record: &PhaseRecord, _thread: u32, _session: &Session) -> Option<Self> {
        let kind = PhaseKind::from_raw(record.phase)?;
        kind.is_of_orchestrator().then(|| Self {
            start_ticks: record.begin_ticks,
            end_ticks: record.end_ticks,
            phase: u32::from(kind as u16),
            submit_index: u64::from(record.round),
            task_id: record.task_id,
        })
    }
}

/// Phase records of a thread that are missing before one that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseLoss {
    /// The AICPU thread.
    pub thread: u32,
    /// When the record behind the gap began.
    pub at_ticks: u64,
    /// How many are missing.
    pub count: u64,
}
