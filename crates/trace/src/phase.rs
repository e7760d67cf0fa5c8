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
        let phase = match (record.phase, PhaseKind::from_raw(record.phase)) {
            (_, Some(kind)) => scheduler_number(kind)?,
            (FOREIGN_SCHEDULER..FOREIGN_ORCHESTRATOR, None) => foreign(record.phase),
            _ => return None,
        };
        let count = u64::from(record.tasks);
        let (tasks_processed, rounds) = match phase {
            _ if record.reserved & IMPORTED != 0 => (count, 0),
            Self::COMPLETE | Self::DISPATCH => (count, 1),
            _ => (0, count),
        };
        let looked = record.hits != 0 || record.misses != 0;
        let pops = (u64::from(record.hits), u64::from(record.misses));
        let has_pops = looked || phase == Self::DISPATCH;
        Some(Self {
            start_ticks: record.begin_ticks,
            end_ticks: record.end_ticks,
            phase,
            loop_iter: u64::from(record.round),
            tasks_processed,
            rounds,
            pops: (has_pops && record.reserved & UNCOUNTED == 0).then_some(pops),
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
    /// The reference's number, 16..=24, or [`Self::SUBMIT`].
    pub phase: u32,
    /// The submission it belongs to.
    pub submit_index: u64,
    /// The task it submits; `u64::MAX` when none.
    pub task_id: u64,
}

impl OrchestratorPhase {
    /// The number of the first of [`Self::NAMES`].
    pub const FIRST: u32 = 16;
    /// A whole submission, where a source tells no steps of it.
    pub const SUBMIT: u32 = 25;
    /// The names, from [`Self::FIRST`].
    pub const NAMES: [&'static str; 10] = [
        "orch_sync",
        "orch_alloc",
        "orch_params",
        "orch_lookup",
        "orch_heap",
        "orch_insert",
        "orch_fanin",
        "orch_finalize",
        "orch_scope_end",
        "orch_submit",
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
        let phase = match (record.phase, PhaseKind::from_raw(record.phase)) {
            (raw, Some(kind)) => kind.is_of_orchestrator().then_some(u32::from(raw))?,
            (FOREIGN_ORCHESTRATOR..FOREIGN_END, None) => foreign(record.phase),
            _ => return None,
        };
        Some(Self {
            start_ticks: record.begin_ticks,
            end_ticks: record.end_ticks,
            phase,
            submit_index: u64::from(record.round),
            task_id: record.task_id,
        })
    }
}

/// Imported phases that no device of ours records have these numbers and the reference's added; the last of
/// each range stands for a phase without a number.
const FOREIGN_SCHEDULER: u16 = 0x100;
const FOREIGN_ORCHESTRATOR: u16 = 0x200;
const FOREIGN_END: u16 = 0x300;
/// In [`PhaseRecord::reserved`] of an imported phase: its source counts no looks at a ready queue.
const UNCOUNTED: u32 = 1;
/// In [`PhaseRecord::reserved`] of an imported phase: its count is of tasks, whatever the phase.
const IMPORTED: u32 = 2;

/// The reference's number of an imported phase; `u32::MAX` when it has none.
fn foreign(raw: u16) -> u32 {
    match raw % 0x100 {
        0xFF => u32::MAX,
        number => u32::from(number),
    }
}

fn to_foreign(base: u16, phase: u32) -> u16 {
    base + u16::try_from(phase).unwrap_or(0xFF).min(0xFF)
}

/// The reference's number of one of our phases.
const fn scheduler_number(kind: PhaseKind) -> Option<u32> {
    Some(match kind {
        PhaseKind::Complete => SchedulerPhase::COMPLETE,
        PhaseKind::Dispatch => SchedulerPhase::DISPATCH,
        PhaseKind::Idle => SchedulerPhase::IDLE,
        PhaseKind::Blocked => SchedulerPhase::BLOCKED,
        PhaseKind::Dump => SchedulerPhase::DUMP,
        _ => return None,
    })
}

/// Whether a record's phase is one that is read.
pub(crate) fn is_known(raw: u16) -> bool {
    PhaseKind::from_raw(raw).is_some() || (FOREIGN_SCHEDULER..FOREIGN_END).contains(&raw)
}

/// The record of an imported scheduler phase. Counts above 32 bits are the largest that fit.
pub(crate) fn scheduler_record(
    phase: u32,
    (begin_ticks, end_ticks): (u64, u64),
    round: u64,
    tasks: u64,
    pops: Option<(u64, u64)>,
) -> PhaseRecord {
    let mut kinds = PhaseKind::ALL.into_iter();
    let ours = kinds.find(|&kind| scheduler_number(kind) == Some(phase));
    let fit = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    let (hits, misses) = pops.unwrap_or_default();
    PhaseRecord {
        begin_ticks,
        end_ticks,
        phase: ours.map_or_else(|| to_foreign(FOREIGN_SCHEDULER, phase), |kind| kind as u16),
        round: fit(round),
        tasks: fit(tasks),
        hits: fit(hits),
        misses: fit(misses),
        reserved: IMPORTED | if pops.is_some() { 0 } else { UNCOUNTED },
        task_id: u64::MAX,
        ..PhaseRecord::default()
    }
}

/// The record of a phase whose source counts the rounds it lasted.
pub(crate) fn with_rounds(record: PhaseRecord, rounds: u64) -> PhaseRecord {
    let kind = PhaseKind::from_raw(record.phase);
    let works = matches!(kind, Some(PhaseKind::Complete | PhaseKind::Dispatch));
    PhaseRecord {
        tasks: match works {
            true => record.tasks,
            false => u32::try_from(rounds).unwrap_or(u32::MAX),
        },
        reserved: record.reserved & !IMPORTED,
        ..record
    }
}

/// The record of an imported orchestrator phase.
pub(crate) fn orchestrator_record(
    phase: u32,
    (begin_ticks, end_ticks): (u64, u64),
    submit_index: u64,
    task_id: u64,
) -> PhaseRecord {
    let mut kinds = PhaseKind::ALL.into_iter();
    let ours = kinds.find(|&kind| kind.is_of_orchestrator() && u32::from(kind as u16) == phase);
    PhaseRecord {
        begin_ticks,
        end_ticks,
        phase: ours.map_or_else(
            || to_foreign(FOREIGN_ORCHESTRATOR, phase),
            |kind| kind as u16,
        ),
        round: u32::try_from(submit_index).unwrap_or(u32::MAX),
        task_id,
        ..PhaseRecord::default()
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
