//! `l2_perf_records.json`, byte for byte as the reference runtime's collector writes it.
//!
//! # Where it sits
//!
//! [`write()`] takes a trace. [`Records`] is the layer below: decoded records as that collector has
//! them, raw ticks and all, for whoever must reproduce its output exactly.
//!
//! # What can be lost
//!
//! The format has no receive time, no token, no run, and one number for an unknown time and for the
//! base: 0. The verdict and loss marks have no place in it, nor have phases that the reference does not
//! know: waits for the host and copying of tensors.
//!
//! # Memory
//!
//! The file has its tasks by id: they are sorted in a scratch file ([`Trace::tasks_by_id`]), phases are read
//! as they are written, so memory does not grow with either.
//!
//! # Errors
//!
//! [`ExportError::Write`], [`ExportError::Trace`] when the scratch file fails, and [`ExportError::NoTasks`]
//! since the reference writes no file then.

mod encode;

use crate::ExportError;
use encode::{Facts, Source};
use lanescope_trace::{Chip, Orchestrator, OrchestratorPhase, SchedulerPhase, Task, Trace};
use std::borrow::Cow;
use std::io::Write;

pub use lanescope_trace::import::RECORDS_FILE_NAME as FILE_NAME;

/// Decoded records as the reference's collector has them.
#[derive(Clone, Debug, Default)]
pub struct Records<'a> {
    /// Rate of the ticks.
    pub ticks_per_second: u64,
    /// Task records, in any order.
    pub tasks: Vec<TaskRow<'a>>,
    /// Phase records by AICPU thread, in collection order, scheduler and orchestrator mixed.
    pub phases: Vec<Vec<PhaseRow>>,
    /// How many phase arrays to write: the AICPU threads the chip can have.
    pub max_threads: usize,
    /// Whether `dispatch` phases carry `pop_hit` and `pop_miss`, as from PR #777 on.
    pub pops: bool,
    /// The orchestrator's totals, when its summary is valid.
    pub orchestrator: Option<Orchestrator>,
    /// The AICPU thread of each core, -1 where none is assigned; `None` when it was not recorded.
    pub core_to_thread: Option<Vec<i32>>,
}

/// One task record. Raw ticks, also where they are 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskRow<'a> {
    /// The task's identity; its upper half is the ring it came from.
    pub task_id: u64,
    /// The function it ran.
    pub func_id: u32,
    /// The core's index.
    pub core_id: u32,
    /// 0 for a cube core, anything else for a vector core.
    pub core_type: u32,
    /// When the kernel began.
    pub start_ticks: u64,
    /// When the kernel ended.
    pub end_ticks: u64,
    /// When it was dispatched, 0 when not known.
    pub dispatch_ticks: u64,
    /// When it was seen finished, 0 when not known.
    pub finish_ticks: u64,
    /// Successors by task id.
    pub fanout: Cow<'a, [u64]>,
    /// The raw count; outside 0..=128 the list is written empty.
    pub fanout_count: i64,
}

/// One phase record: a scheduler's below [`PhaseRow::FIRST_ORCHESTRATOR`], else an orchestrator's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhaseRow {
    /// When it began.
    pub start_ticks: u64,
    /// When it ended.
    pub end_ticks: u64,
    /// Loop round or submit index.
    pub loop_iter: u64,
    /// The phase's number.
    pub phase: u32,
    /// Tasks processed or task id.
    pub value: u64,
    /// Ready-queue hits and misses.
    pub pops: (u64, u64),
}

impl PhaseRow {
    /// The lowest number of an orchestrator phase.
    pub const FIRST_ORCHESTRATOR: u32 = 4;
}

/// Writes a trace.
///
/// # Errors
///
/// As in the module's text.
pub fn write(trace: &Trace, out: impl Write) -> Result<(), ExportError> {
    encode::encode(trace, out)
}

impl Records<'_> {
    /// Writes the file.
    ///
    /// # Errors
    ///
    /// As in the module's text.
    pub fn write(mut self, out: impl Write) -> Result<(), ExportError> {
        // The reference sorts by task id alone, unstably; a task's rows are in no defined order.
        self.tasks.sort_by_key(|row| (row.task_id, row.core_id));
        encode::encode(&self, out)
    }
}

impl Source for Records<'_> {
    fn facts(&self) -> Facts {
        let starts = self.tasks.iter();
        let times = starts.map(|row| (row.start_ticks, row.dispatch_ticks));
        Facts {
            ticks_per_second: self.ticks_per_second,
            first_ticks: Facts::first_ticks(times),
            has_tasks: !self.tasks.is_empty(),
            threads: self.phases.len(),
            max_threads: self.max_threads,
            pops: self.pops,
            orchestrator: self.orchestrator,
            core_to_thread: self.core_to_thread.clone(),
        }
    }

    fn tasks(
        &self,
        mut take: impl FnMut(&TaskRow<'_>) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        self.tasks.iter().try_for_each(&mut take)
    }

    fn phases(&self, thread: usize) -> impl Iterator<Item = PhaseRow> {
        self.phases.get(thread).into_iter().flatten().copied()
    }
}

impl Source for Trace {
    fn facts(&self) -> Facts {
        let session = self.session();
        let chip = session.chip.unwrap_or(Chip::A2a3);
        let threads_of = |thread| self.scheduler_phases(thread);
        let mut scheduled = self.threads().flat_map(threads_of);
        let threads = session.cores.iter().map(|core| core.thread);
        let is_assigned = threads.clone().any(|thread| thread.is_some());
        let times = self.tasks();
        let times = times.map(|task| (task.start_ticks, task.dispatch_ticks));
        Facts {
            ticks_per_second: session.ticks_per_second,
            first_ticks: Facts::first_ticks(times),
            has_tasks: self.task_count() > 0,
            threads: self.threads().len(),
            max_threads: chip.info().max_threads as usize,
            pops: scheduled.any(|phase| phase.pops.is_some()),
            orchestrator: self.orchestrator().copied(),
            core_to_thread: is_assigned.then(|| {
                threads
                    .map(|thread| thread.and_then(|thread| i32::try_from(thread).ok()))
                    .map(|thread| thread.unwrap_or(-1))
                    .collect()
            }),
        }
    }

    fn tasks(
        &self,
        mut take: impl FnMut(&TaskRow<'_>) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        let mut fanout = Vec::new();
        for task in self.tasks_by_id()? {
            let task = task?;
            fanout.clear();
            fanout.extend(self.edges().successor_ids(task.task_id));
            take(&task_row(&task, &fanout))?;
        }
        Ok(())
    }

    fn phases(&self, thread: usize) -> impl Iterator<Item = PhaseRow> {
        let thread = u32::try_from(thread).unwrap_or(u32::MAX);
        let scheduler = self.scheduler_phases(thread);
        let named = scheduler.filter(|phase| phase.phase < PhaseRow::FIRST_ORCHESTRATOR);
        let orchestrator = self.orchestrator_phases(thread);
        let orchestrator = orchestrator.map(|phase| orchestrator_row(&phase));
        named.map(|phase| scheduler_row(&phase)).chain(orchestrator)
    }
}

/// Rows of one task have its whole list each.
fn task_row<'a>(task: &Task, fanout: &'a [u64]) -> TaskRow<'a> {
    TaskRow {
        task_id: task.task_id,
        func_id: task.func_id,
        core_id: u32::from(task.core),
        core_type: task.core_type as u32,
        start_ticks: task.start_ticks,
        end_ticks: task.end_ticks,
        dispatch_ticks: task.dispatch_ticks,
        finish_ticks: task.finish_ticks,
        fanout_count: i64::try_from(fanout.len()).unwrap_or(i64::MAX),
        fanout: Cow::Borrowed(fanout),
    }
}

fn scheduler_row(phase: &SchedulerPhase) -> PhaseRow {
    PhaseRow {
        start_ticks: phase.start_ticks,
        end_ticks: phase.end_ticks,
        loop_iter: phase.loop_iter,
        phase: phase.phase,
        value: phase.tasks_processed,
        pops: phase.pops.unwrap_or_default(),
    }
}

fn orchestrator_row(phase: &OrchestratorPhase) -> PhaseRow {
    PhaseRow {
        start_ticks: phase.start_ticks,
        end_ticks: phase.end_ticks,
        loop_iter: phase.submit_index,
        phase: phase.phase,
        value: phase.task_id,
        pops: (0, 0),
    }
}
