//! A decoded run on one clock.

use crate::{EdgeTable, Functions, Orchestrator, OrchestratorPhase, SchedulerPhase, Session, Task};
use lanescope_abi::Token;
use std::collections::HashSet;

/// A decoded run on one clock.
///
/// What holds for every trace, whatever it was read from:
///
/// - a task's core is an index into [`Session::cores`];
/// - the tasks of one core come in order of start, so a consumer needs no sort and no memory;
/// - an unknown time is 0, and no known time is.
#[derive(Debug, Default)]
pub struct Trace {
    parts: TraceParts,
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
    /// What the reader could not place or had to assume.
    pub notes: Vec<Note>,
}

/// Something a reader could not place or had to assume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How many rows it concerns.
    pub count: u64,
    /// What it is: lower case, no full stop.
    pub text: String,
}

impl Trace {
    /// A trace of tasks in memory.
    #[must_use]
    pub fn new(mut parts: TraceParts) -> Self {
        parts.tasks.sort_by_key(order_ticks);
        parts.session.admit(&parts.tasks);
        let mut trace = Self {
            parts,
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
        Tasks {
            rows: self.parts.tasks.iter(),
        }
    }

    /// How many tasks there are.
    #[must_use]
    pub fn task_count(&self) -> u64 {
        self.parts.tasks.len() as u64
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
        let dangling = self
            .edges()
            .iter()
            .filter(|(from, to)| !present.contains(from) || !present.contains(to));
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
        let phases = scheduler
            .map(|phase| (phase.start_ticks, phase.end_ticks))
            .chain(orchestrator.map(|phase| (phase.start_ticks, phase.end_ticks)))
            .filter(|&(start, end)| start != 0 && end >= start);
        tasks
            .chain(phases)
            .reduce(|(first, last), (from, to)| (first.min(from), last.max(to)))
    }
}

/// The tasks of a trace, by value.
#[derive(Clone, Debug)]
pub struct Tasks<'a> {
    rows: std::slice::Iter<'a, Task>,
}

impl Iterator for Tasks<'_> {
    type Item = Task;

    fn next(&mut self) -> Option<Task> {
        self.rows.next().copied()
    }
}

/// How many tasks a core ran between two of its rows that have no row themselves.
///
/// Tokens count dispatches, so a step of more than one is that many lost records. 0 when either
/// row has no token, or when they do not go forward.
#[must_use]
pub fn lost_between(earlier: &Task, later: &Task) -> u32 {
    let (Some(from), Some(to)) = (Token::new(earlier.token), Token::new(later.token)) else {
        return 0;
    };
    let steps = from.distance_to(to);
    // A step of more than half the range is a step back: rows out of order, not loss.
    if steps > lanescope_abi::token::TOKEN_COUNT / 2 {
        return 0;
    }
    steps.saturating_sub(1)
}

/// Where a task stands among those of its core.
fn order_ticks(task: &Task) -> u64 {
    [
        task.start_ticks,
        task.receive_ticks,
        task.dispatch_ticks,
        task.end_ticks,
        task.finish_ticks,
    ]
    .into_iter()
    .find(|&ticks| ticks != 0)
    .unwrap_or(0)
}
