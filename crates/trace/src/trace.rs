//! A decoded run on one clock.

use crate::capture::{MappedRecords, mapped_task};
use crate::task::order_ticks;
use crate::{
    EdgeTable, Functions, Orchestrator, OrchestratorPhase, SchedulerPhase, Session, Task,
    TraceError, capture, records_json,
};
use lanescope_abi::TaskRecord;
use lanescope_capture::{CAPTURE_FILE_NAME, Clock, Verdict};
use std::collections::HashSet;
use std::path::Path;

/// A decoded run on one clock.
///
/// What holds for every trace, whatever it was read from:
///
/// - a task's core is an index into [`Session::cores`];
/// - the tasks of one core come in order of start (where that is unknown: of the next time that is
///   known), so a consumer needs no sort and no memory;
/// - an unknown time is 0, and no known time is.
#[derive(Debug, Default)]
pub struct Trace {
    parts: TraceParts,
    rows: Rows,
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
    /// Opens whatever `path` is: a folder with a capture or an `l2_perf_records.json` in it, or one
    /// of these files. Of a capture with several runs, the last.
    ///
    /// # Errors
    ///
    /// Those of [`capture::read`] and [`records_json::read`]; [`TraceError::NothingToRead`] for a
    /// folder that holds neither.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TraceError> {
        let path = path.as_ref();
        if path.is_dir() {
            let names = [CAPTURE_FILE_NAME, records_json::FILE_NAME];
            let found = names.iter().map(|name| path.join(name));
            let Some(file) = found.into_iter().find(|file| file.exists()) else {
                let path = path.to_owned();
                return Err(TraceError::NothingToRead { path });
            };
            return Self::open(file);
        }
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            return records_json::read(path);
        }
        let mut runs = capture::read(path)?;
        Ok(runs.pop().expect("a capture that was read has a run"))
    }

    /// A trace of tasks in memory.
    #[must_use]
    pub fn new(mut parts: TraceParts) -> Self {
        let mut tasks = std::mem::take(&mut parts.tasks);
        tasks.sort_by_key(order_ticks);
        parts.session.admit(&tasks);
        Self::with_rows(parts, Rows::Owned(tasks))
    }

    /// A trace of rows that keep the promises already.
    pub(crate) fn with_rows(parts: TraceParts, rows: Rows) -> Self {
        let mut trace = Self {
            parts,
            rows,
            bounds_ticks: None,
        };
        trace.bounds_ticks = trace.measure_bounds();
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
        let mapped = match &self.rows {
            Rows::Owned(_) => None,
            Rows::Mapped(mapped) => Some(mapped),
        };
        let owned = match &self.rows {
            Rows::Owned(tasks) => tasks.as_slice(),
            Rows::Mapped(_) => &[],
        };
        Tasks {
            owned: owned.iter(),
            records: [].iter(),
            mapped,
            next_block: 0,
            session: &self.parts.session,
        }
    }

    /// How many tasks there are.
    #[must_use]
    pub fn task_count(&self) -> u64 {
        match &self.rows {
            Rows::Owned(tasks) => tasks.len() as u64,
            Rows::Mapped(mapped) => mapped.task_count(),
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

    /// Scheduler phases by AICPU thread; empty when the source has none.
    #[must_use]
    pub fn scheduler_phases(&self) -> &[Vec<SchedulerPhase>] {
        &self.parts.scheduler_phases
    }

    /// The orchestrator's totals.
    #[must_use]
    pub fn orchestrator(&self) -> Option<&Orchestrator> {
        self.parts.orchestrator.as_ref()
    }

    /// Orchestrator phases by AICPU thread; empty when the source has none.
    #[must_use]
    pub fn orchestrator_phases(&self) -> &[Vec<OrchestratorPhase>] {
        &self.parts.orchestrator_phases
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

    /// The earliest and the latest known time of any task or phase.
    #[must_use]
    pub fn bounds_ticks(&self) -> Option<(u64, u64)> {
        self.bounds_ticks
    }

    fn measure_bounds(&self) -> Option<(u64, u64)> {
        let tasks = self
            .tasks()
            .filter_map(|task| Some((task.first_ticks()?, task.last_ticks()?)));
        let scheduler = self.parts.scheduler_phases.iter().flatten();
        let orchestrator = self.parts.orchestrator_phases.iter().flatten();
        let totals = self.parts.orchestrator.iter();
        let phases = scheduler
            .map(|phase| (phase.start_ticks, phase.end_ticks))
            .chain(orchestrator.map(|phase| (phase.start_ticks, phase.end_ticks)))
            .chain(totals.map(|totals| (totals.start_ticks, totals.end_ticks)))
            .filter(|&(start, end)| start != 0 && end >= start);
        tasks
            .chain(phases)
            .reduce(|(first, last), (from, to)| (first.min(from), last.max(to)))
    }
}

/// Where the tasks are.
#[derive(Debug)]
pub(crate) enum Rows {
    Owned(Vec<Task>),
    Mapped(MappedRecords),
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
    mapped: Option<&'a MappedRecords>,
    next_block: usize,
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
            let mapped = self.mapped?;
            if self.next_block == mapped.block_count() {
                return None;
            }
            self.records = mapped.records(self.next_block).iter();
            self.next_block += 1;
        }
    }
}
