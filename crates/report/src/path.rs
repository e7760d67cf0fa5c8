//! The critical path: from the task that ended last back to the begin, step by step.
//!
//! A step's producer is the one that ended last of those that ended before the step started; of a task
//! with several rows the one that ended last counts. Run times and waits of all steps, with the tail
//! behind the last, add up to the makespan exactly.

use crate::dependencies::Dependencies;
use crate::held_up::{Wanted, held_up};
use crate::members::{Members, Ranked};
use crate::sorted::Lower;
use lanescope_trace::{Task, Trace};

/// The chain of tasks that ended last, and how short the run could have been.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CriticalPath {
    /// The steps, first to last.
    pub steps: Vec<PathStep>,
    /// From the end of the last step to the end of the makespan.
    pub tail_ticks: u64,
    /// The longest chain of run times over all edges: no schedule of these tasks is shorter.
    pub floor_ticks: u64,
    /// Tasks that depend on themselves.
    pub in_circles: u64,
    /// Edges whose producer ended after their consumer had started; no step follows one.
    pub backward_edges: u64,
    /// Edges that name a task without a row.
    pub dangling_edges: u64,
}

/// One task of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathStep {
    /// Its row that ended last.
    pub task: Task,
    /// From the end of the step before it, or the begin of the makespan, to its start.
    pub wait: PathWait,
}

/// A wait of the path, cut at the moments that are known; the parts add up to the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathWait {
    /// From the end of the producer until its AICPU thread saw it.
    pub notice_ticks: u64,
    /// From there to the dispatch.
    pub queue_ticks: u64,
    /// From the dispatch to the start.
    pub head_ticks: u64,
    /// Not known which of them.
    pub unknown_ticks: u64,
}

/// What a step of the path waited for.
#[derive(Clone, Copy)]
enum Before<'a> {
    /// It has no producer.
    Nothing,
    /// Of no producer is known when it ended.
    Unknown,
    Task(&'a Task),
}

impl PathWait {
    /// The whole wait.
    #[must_use]
    pub const fn ticks(&self) -> u64 {
        self.notice_ticks + self.queue_ticks + self.head_ticks + self.unknown_ticks
    }

    /// The wait from `from` to the start of `task`, behind `before`.
    fn of(from: u64, before: Before<'_>, task: &Task) -> Self {
        let start = task.start_ticks;
        let seen = match before {
            Before::Nothing => Some(from),
            Before::Unknown => None,
            Before::Task(producer) => Some(producer.finish_ticks).filter(|&finish| finish >= from),
        };
        let seen = seen.map(|at| at.min(start));
        let dispatched = Some(task.dispatch_ticks).filter(|&at| at != 0 && at <= start);
        let (notice_to, head_from) = match (seen, dispatched) {
            (Some(seen), Some(at)) => (seen, at.max(seen)),
            (Some(seen), None) => (seen, start),
            (None, Some(at)) => (from, at.max(from)),
            (None, None) => (from, start),
        };
        let between = head_from - notice_to;
        let is_known = seen.is_some() && dispatched.is_some();
        Self {
            notice_ticks: notice_to - from,
            queue_ticks: if is_known { between } else { 0 },
            head_ticks: start - head_from,
            unknown_ticks: if is_known { 0 } else { between },
        }
    }
}

impl CriticalPath {
    /// The critical path of a trace; `None` when it has no edge, or no task with a start and an end.
    #[must_use]
    pub fn of(trace: &Trace) -> Option<Self> {
        match trace.edges().is_empty() {
            true => None,
            false => held_up(trace, Wanted::Path).1,
        }
    }
}

/// Looks for the task that ended last.
#[derive(Debug, Default)]
pub(crate) struct PathSearch {
    last: Option<Task>,
    last_end_ticks: u64,
}

impl PathSearch {
    #[inline]
    pub(crate) fn row(&mut self, task: &Task) {
        // A row without an end is none of those that end later.
        if task.end_ticks > self.last_end_ticks && task.run_ticks().is_some() {
            self.last_end_ticks = task.end_ticks;
            self.last = Some(*task);
        }
    }
}

/// The tasks on the path.
#[derive(Debug)]
pub(crate) struct Chain {
    last: Task,
    /// First to last; none when no edge names the last task.
    nodes: Vec<u32>,
    members: Ranked,
}

/// Collects the rows of the tasks on the path, of a stretch of the rows.
#[derive(Debug)]
pub(crate) struct PathRows {
    /// By rank of the node among those of the path.
    rows: Vec<Option<Task>>,
}

impl PathRows {
    pub(crate) fn of(chain: Option<&Chain>) -> Self {
        let count = chain.map_or(0, |chain| chain.members.len());
        Self {
            rows: vec![None; count],
        }
    }

    #[inline]
    pub(crate) fn row<L: Lower>(
        &mut self,
        task: &Task,
        chain: &Chain,
        dependencies: &Dependencies<'_, L>,
    ) {
        let Some(node) = dependencies.node(task.task_id) else {
            return;
        };
        if let Some(rank) = chain.members.rank(node)
            && task.end_ticks == dependencies.end(node)
            && task.run_ticks().is_some()
        {
            self.rows[rank].get_or_insert(*task);
        }
    }

    /// Takes what was found in the next stretch.
    pub(crate) fn join(&mut self, next: Self) {
        for (row, found) in self.rows.iter_mut().zip(next.rows) {
            *row = row.or(found);
        }
    }
}

impl Chain {
    /// `None` when no task has a start and an end.
    pub(crate) fn new<L: Lower>(
        search: &PathSearch,
        dependencies: &Dependencies<'_, L>,
    ) -> Option<Self> {
        let last = search.last?;
        let node = dependencies.node(last.task_id);
        let chain = node.map(|node| dependencies.chain_to(node));
        let (nodes, members) = chain.unwrap_or_else(|| (Vec::new(), Members::none_of(0)));
        Some(Self {
            last,
            nodes,
            members: members.ranked(),
        })
    }

    pub(crate) fn path<L: Lower>(
        &self,
        rows: &PathRows,
        (first, last): (u64, u64),
        dependencies: &Dependencies<'_, L>,
        (floor_ticks, in_circles): (u64, u64),
    ) -> CriticalPath {
        let row_of = |&node: &u32| self.members.rank(node).and_then(|rank| rows.rows[rank]);
        let rows: Vec<Task> = match self.nodes.is_empty() {
            true => vec![self.last],
            false => self.nodes.iter().filter_map(row_of).collect(),
        };
        let mut steps: Vec<PathStep> = Vec::with_capacity(rows.len());
        let is_behind = |&node: &u32| dependencies.has_producer(node);
        let is_first_behind = self.nodes.first().is_some_and(is_behind);
        for task in rows {
            let (from, before) = match steps.last().map(|step| &step.task) {
                Some(producer) => (producer.end_ticks, Before::Task(producer)),
                None if is_first_behind => (first, Before::Unknown),
                None => (first, Before::Nothing),
            };
            let wait = PathWait::of(from, before, &task);
            steps.push(PathStep { task, wait });
        }
        CriticalPath {
            tail_ticks: last - self.last.end_ticks,
            steps,
            floor_ticks,
            in_circles,
            backward_edges: dependencies.backward,
            dangling_edges: dependencies.dangling,
        }
    }
}
