//! A decoded run on one clock.

use crate::import::input::Input;
use crate::payload::Payloads;
use crate::phase::PhaseLoss;
use crate::rows::{Mapped, RowsOf};
use crate::task::{mapped_task, order_ticks};
use crate::{
    EdgeTable, Functions, Orchestrator, OrchestratorPhase, Payload, PmuRow, SchedulerPhase,
    Session, Task, TensorRow, TraceError, capture, import,
};
use lanescope_abi::{Kind, TaskRecord};
use lanescope_capture::{CAPTURE_FILE_NAME, Clock, Pass, Verdict};
use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

/// A decoded run on one clock.
///
/// What holds for every trace, whatever it was read from:
///
/// - a task's core is an index into [`Session::cores`];
/// - the tasks of one core come in order of start (where that is unknown: of the next time that is
///   known), so a consumer needs no sort and no memory;
/// - an unknown time is 0, and no known time is;
/// - phases, counters and tensors come by AICPU thread, in the order in which it recorded them.
#[derive(Debug, Default)]
pub struct Trace {
    parts: TraceParts,
    rows: Rows,
    collected: Collected,
    task_bounds_ticks: Option<(u64, u64)>,
    bounds_ticks: Option<(u64, u64)>,
}

/// What a reader hands to [`Trace::new`].
#[derive(Debug, Default)]
pub struct TraceParts {
    /// The session's facts; [`Trace::new`] adds cores that only tasks name.
    pub session: Session,
    /// Function names.
    pub functions: Functions,
    /// The tasks, in any order.
    pub tasks: Vec<Task>,
    /// Dependency edges.
    pub edges: EdgeTable,
    /// Scheduler phases by AICPU thread; empty when the source has none.
    pub scheduler_phases: Vec<Vec<SchedulerPhase>>,
    /// The orchestrator's totals.
    pub orchestrator: Option<Orchestrator>,
    /// Orchestrator phases by AICPU thread; empty when the source has none.
    pub orchestrator_phases: Vec<Vec<OrchestratorPhase>>,
    /// Counters of tasks by AICPU thread; empty when the source has none.
    pub pmu: Vec<Vec<PmuRow>>,
    /// Tensors of tasks by AICPU thread; empty when the source has none.
    pub tensors: Vec<Vec<TensorRow>>,
    /// Their bytes: thread, position of the first byte in the arena, bytes.
    pub payloads: Vec<(u32, u64, Vec<u8>)>,
    /// Tensors that the source says its device dropped; a verdict counts them by itself.
    pub dropped_tensors: u64,
    /// What became of the run's records, when the source says.
    pub verdict: Option<Verdict>,
    /// Readings of the device's and the host's clock at one moment.
    pub clocks: Vec<Clock>,
    /// What the reader could not place or had to assume.
    pub notes: Vec<Note>,
}

/// Something a reader could not place or had to assume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How many of it there are.
    pub count: u64,
    /// What it is: lower case, no full stop, fit to follow the count.
    pub text: String,
}

impl Trace {
    /// Opens whatever `path` is: a capture, a file that can be imported ([`import::Format`]), or a folder with
    /// one of these in it; of a folder without a capture all files of its run. Of a capture with several
    /// runs, the last.
    ///
    /// # Errors
    ///
    /// Those of [`capture::read`] and [`import::read`]; [`TraceError::NothingToRead`] for a folder that holds
    /// neither.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TraceError> {
        let path = path.as_ref();
        if path.is_dir() {
            let capture = path.join(CAPTURE_FILE_NAME);
            if capture.exists() {
                return Self::open(capture);
            }
            return import::read(&import::files_of(path)?);
        }
        let input = Input::of(path)?;
        if import::Format::of_input(&input)?.is_some() {
            return import::read_inputs(vec![input]);
        }
        let mut runs = capture::read_file(capture::open(input.open()?, path)?)?;
        Ok(runs.pop().expect("a capture that was read has a run"))
    }

    /// A trace of tasks in memory.
    #[must_use]
    pub fn new(mut parts: TraceParts) -> Self {
        let mut tasks = std::mem::take(&mut parts.tasks);
        tasks.sort_by_key(order_ticks);
        parts.session.admit(&tasks);
        let mut bounds = Bounds::default();
        for task in &tasks {
            bounds.task(task);
        }
        let collected = Collected {
            scheduler: RowsOf::Owned(std::mem::take(&mut parts.scheduler_phases)),
            orchestrator: RowsOf::Owned(std::mem::take(&mut parts.orchestrator_phases)),
            phase_losses: Vec::new(),
            pmu: RowsOf::Owned(std::mem::take(&mut parts.pmu)),
            tensors: RowsOf::Owned(std::mem::take(&mut parts.tensors)),
            payloads: Payloads::owned(std::mem::take(&mut parts.payloads)),
        };
        Self::with_rows(parts, Rows::Owned(tasks), collected, bounds)
    }

    /// A trace of rows that keep the promises already, and the bounds of its tasks.
    pub(crate) fn with_rows(
        parts: TraceParts,
        rows: Rows,
        collected: Collected,
        tasks: Bounds,
    ) -> Self {
        let mut trace = Self {
            parts,
            rows,
            collected,
            task_bounds_ticks: tasks.known(),
            bounds_ticks: None,
        };
        trace.bounds_ticks = trace.measure_bounds(tasks);
        trace
    }

    /// The session's facts.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.parts.session
    }

    /// Function names.
    #[must_use]
    pub fn functions(&self) -> &Functions {
        &self.parts.functions
    }

    /// Names functions the source had no name for, or renames them.
    pub fn name_functions(&mut self, names: &Functions) {
        for (func_id, name) in names.iter() {
            self.parts.functions.insert(func_id, name);
        }
    }

    /// The tasks; those of one core in order of start.
    #[must_use]
    pub fn tasks(&self) -> Tasks<'_> {
        match &self.rows {
            Rows::Owned(tasks) => self.owned_tasks(tasks),
            Rows::Mapped(mapped) => self.mapped_tasks(mapped, 0..mapped.block_count()),
        }
    }

    /// The tasks in at most `count` stretches of about one length, which together are [`Self::tasks`]: one
    /// for each thread that reads. Never an empty list.
    #[must_use]
    pub fn task_stretches(&self, count: usize) -> Vec<Tasks<'_>> {
        let count = count.max(1);
        let mut stretches = Vec::with_capacity(count);
        match &self.rows {
            Rows::Owned(tasks) => {
                let length = tasks.len().div_ceil(count).max(1);
                stretches.extend(tasks.chunks(length).map(|tasks| self.owned_tasks(tasks)));
            }
            Rows::Mapped(mapped) => {
                let ranges = mapped.stretches(count).into_iter();
                stretches.extend(ranges.map(|blocks| self.mapped_tasks(mapped, blocks)));
            }
        }
        if stretches.is_empty() {
            stretches.push(self.tasks());
        }
        stretches
    }

    fn owned_tasks<'a>(&'a self, tasks: &'a [Task]) -> Tasks<'a> {
        Tasks {
            owned: tasks.iter(),
            records: [].iter(),
            mapped: None,
            blocks: 0..0,
            session: &self.parts.session,
        }
    }

    fn mapped_tasks<'a>(
        &'a self,
        mapped: &'a Mapped<TaskRecord>,
        blocks: Range<usize>,
    ) -> Tasks<'a> {
        Tasks {
            owned: [].iter(),
            records: [].iter(),
            mapped: Some((mapped, mapped.pass_from(blocks.start))),
            blocks,
            session: &self.parts.session,
        }
    }

    /// How many tasks there are.
    #[must_use]
    pub fn task_count(&self) -> u64 {
        match &self.rows {
            Rows::Owned(tasks) => tasks.len() as u64,
            Rows::Mapped(mapped) => mapped.record_count(),
        }
    }

    /// Dependency edges.
    #[must_use]
    pub fn edges(&self) -> &EdgeTable {
        &self.parts.edges
    }

    /// How many edges name a task that has no row here.
    #[must_use]
    pub fn dangling_edges(&self) -> u64 {
        let present: HashSet<u64> = self.tasks().map(|task| task.task_id).collect();
        let edges = self.edges().iter();
        let dangling = edges.filter(|(from, to)| !present.contains(from) || !present.contains(to));
        dangling.count() as u64
    }

    /// AICPU threads that any row speaks of, and those of the session.
    pub fn threads(&self) -> Range<u32> {
        let collected = &self.collected;
        let counts = [
            collected.scheduler.thread_count(),
            collected.orchestrator.thread_count(),
            collected.pmu.thread_count(),
            collected.tensors.thread_count(),
        ];
        let most = counts.into_iter().max().unwrap_or(0);
        0..most.max(self.parts.session.threads.min(MAX_THREADS))
    }

    /// Scheduler phases of an AICPU thread; a wait for the host comes before the phase it lies in.
    pub fn scheduler_phases(&self, thread: u32) -> impl Iterator<Item = SchedulerPhase> + '_ {
        let phases = &self.collected.scheduler;
        phases.of_thread(thread, &self.parts.session)
    }

    /// Orchestrator phases of an AICPU thread.
    pub fn orchestrator_phases(&self, thread: u32) -> impl Iterator<Item = OrchestratorPhase> + '_ {
        let phases = &self.collected.orchestrator;
        phases.of_thread(thread, &self.parts.session)
    }

    /// Where phase records are missing, as their sequence numbers tell.
    #[must_use]
    pub fn phase_losses(&self) -> &[PhaseLoss] {
        &self.collected.phase_losses
    }

    /// The orchestrator's totals.
    #[must_use]
    pub fn orchestrator(&self) -> Option<&Orchestrator> {
        self.parts.orchestrator.as_ref()
    }

    /// Counters of tasks, thread by thread.
    pub fn pmu_rows(&self) -> impl Iterator<Item = PmuRow> + '_ {
        self.threads().flat_map(|thread| self.pmu_rows_of(thread))
    }

    /// Counters of the tasks that an AICPU thread committed; those of one core in order.
    pub fn pmu_rows_of(&self, thread: u32) -> impl Iterator<Item = PmuRow> + '_ {
        self.collected.pmu.of_thread(thread, &self.parts.session)
    }

    /// Tensors of tasks, thread by thread.
    pub fn tensors(&self) -> impl Iterator<Item = TensorRow> + '_ {
        let tensors = &self.collected.tensors;
        self.threads()
            .flat_map(|thread| tensors.of_thread(thread, &self.parts.session))
    }

    /// The bytes of a tensor; `None` when they were overwritten before the host had copied them, or
    /// are not the ones the device wrote.
    #[must_use]
    pub fn payload(&self, row: &TensorRow) -> Option<Payload<'_>> {
        self.collected.payloads.of(row)
    }

    /// Tensors that the device dropped, as far as the source says.
    #[must_use]
    pub fn dropped_tensors(&self) -> u64 {
        let Some(verdict) = self.verdict() else {
            return self.parts.dropped_tensors;
        };
        let rows = verdict.cores.iter().filter(|row| row.kind == Kind::TENSOR);
        let dropped = rows.map(|row| row.counts.dropped.sum());
        dropped.fold(0, u64::saturating_add)
    }

    /// What became of the run's records, when the source says.
    #[must_use]
    pub fn verdict(&self) -> Option<&Verdict> {
        self.parts.verdict.as_ref()
    }

    /// Readings of the device's and the host's clock at one moment.
    #[must_use]
    pub fn clocks(&self) -> &[Clock] {
        &self.parts.clocks
    }

    /// What the reader could not place or had to assume.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.parts.notes
    }

    /// The earliest and the latest known time of any task.
    #[must_use]
    pub fn task_bounds_ticks(&self) -> Option<(u64, u64)> {
        self.task_bounds_ticks
    }

    /// The earliest and the latest known time of any task, phase or row of counters.
    #[must_use]
    pub fn bounds_ticks(&self) -> Option<(u64, u64)> {
        self.bounds_ticks
    }

    fn measure_bounds(&self, tasks: Bounds) -> Option<(u64, u64)> {
        let mut bounds = tasks;
        for thread in self.threads() {
            for phase in self.scheduler_phases(thread) {
                bounds.span(phase.start_ticks, phase.end_ticks);
            }
            for phase in self.orchestrator_phases(thread) {
                bounds.span(phase.start_ticks, phase.end_ticks);
            }
        }
        if let Some(totals) = &self.parts.orchestrator {
            bounds.span(totals.start_ticks, totals.end_ticks);
        }
        for row in self.pmu_rows() {
            bounds.span(row.ticks, row.ticks);
        }
        bounds.known()
    }
}

/// The earliest and the latest known time seen so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    first: u64,
    last: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            first: u64::MAX,
            last: 0,
        }
    }
}

impl Bounds {
    #[inline]
    pub(crate) fn task(&mut self, task: &Task) {
        self.first = self.first.min(task.first_ticks().unwrap_or(u64::MAX));
        self.last = self.last.max(task.last_ticks().unwrap_or(0));
    }

    fn known(self) -> Option<(u64, u64)> {
        (self.first <= self.last).then_some((self.first, self.last))
    }

    /// A span counts when its start is known and it does not run backwards.
    fn span(&mut self, start: u64, end: u64) {
        if start != 0 && end >= start {
            self.first = self.first.min(start);
            self.last = self.last.max(end);
        }
    }
}

/// No chip has as many AICPU threads; a number from a file beyond it is not believed.
pub(crate) const MAX_THREADS: u32 = 256;

/// Where the tasks are.
#[derive(Debug)]
pub(crate) enum Rows {
    Owned(Vec<Task>),
    Mapped(Mapped<TaskRecord>),
}

/// The rows that are not tasks.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) scheduler: RowsOf<SchedulerPhase>,
    pub(crate) orchestrator: RowsOf<OrchestratorPhase>,
    pub(crate) phase_losses: Vec<PhaseLoss>,
    pub(crate) pmu: RowsOf<PmuRow>,
    pub(crate) tensors: RowsOf<TensorRow>,
    pub(crate) payloads: Payloads,
}

impl Default for Rows {
    fn default() -> Self {
        Self::Owned(Vec::new())
    }
}

/// The tasks of a trace, by value.
#[derive(Clone, Debug)]
pub struct Tasks<'a> {
    owned: std::slice::Iter<'a, Task>,
    records: std::slice::Iter<'a, TaskRecord>,
    mapped: Option<(&'a Mapped<TaskRecord>, Pass<'a>)>,
    /// Those that were not begun.
    blocks: Range<usize>,
    session: &'a Session,
}

impl Iterator for Tasks<'_> {
    type Item = Task;

    #[inline]
    fn next(&mut self) -> Option<Task> {
        if let Some(task) = self.owned.next() {
            return Some(*task);
        }
        loop {
            if let Some(record) = self.records.next() {
                return mapped_task(record, self.session);
            }
            let (mapped, pass) = self.mapped.as_mut()?;
            let block = self.blocks.next()?;
            self.records = mapped.records(block, pass).iter();
        }
    }
}
