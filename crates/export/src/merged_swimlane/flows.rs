//! Arrows, in the order in which the file has them.

use super::events::End;
use super::{
    AICORE, AICPU, Maker, ORCHESTRATOR, SCHEDULER, Stopped, Swimlane, core_track,
    orchestrator_track, scheduler_track,
};
use lanescope_trace::json::Number;
use lanescope_trace::reference::{Document, TaskId, TaskRow};
use std::collections::HashMap;
use std::ops::Range;

/// An arrow leaves a slice this long before its end, so that a viewer finds the slice.
const BEFORE_END_US: f64 = 0.01;

/// A row at its place, and when its arrow leaves or ends there.
type Tip<'a> = (u32, &'a TaskRow, Number);

impl<'a> Swimlane<'a> {
    /// From every row of a task to every row of each successor, end to start.
    #[inline]
    pub(super) fn aicore_arrows(
        self,
        part: Range<usize>,
    ) -> impl Iterator<Item = (Tip<'a>, Tip<'a>)> {
        self.rows(part).flat_map(move |(place, row)| {
            self.successors(row)
                .map(move |(at, to)| ((place, row, row.end()), (at, to, to.start())))
        })
    }

    /// The same from finish to dispatch, where both are known.
    #[inline]
    pub(super) fn aicpu_arrows(
        self,
        part: Range<usize>,
    ) -> impl Iterator<Item = (Tip<'a>, Tip<'a>)> {
        let finished = self.rows(part).filter_map(|(place, row)| {
            let finish = row.finish().filter(is_known)?;
            Some((place, row, finish))
        });
        finished.flat_map(move |from| {
            self.successors(from.1).filter_map(move |(at, to)| {
                let dispatch = to.dispatch().filter(is_known)?;
                Some((from, (at, to, dispatch)))
            })
        })
    }

    /// Rows whose dispatch is known, and where it is on the scheduler thread.
    pub(super) fn dispatched(
        self,
        part: Range<usize>,
    ) -> impl Iterator<Item = (u32, &'a TaskRow, End)> {
        self.rows(part)
            .filter_map(move |(place, row)| Some((place, row, self.dispatch_end(row)?)))
    }

    /// Dispatches of tasks that the orchestrator submitted: the arrow's name, where it leaves and ends.
    pub(super) fn submitted(
        self,
        part: Range<usize>,
    ) -> impl Iterator<Item = (&'static str, End, End)> {
        self.dispatched(part).filter_map(move |(_, row, to)| {
            let (name, from) = self.steps.of_task(row.id())?;
            Some((name, from, to))
        })
    }

    #[inline]
    fn successors(self, row: &TaskRow) -> impl Iterator<Item = (u32, &'a TaskRow)> {
        let tasks = &self.document.tasks;
        let places = tasks.places(row);
        places
            .flat_map(move |at| self.plan.rows.of_successor(at))
            .map(move |successor| (successor, &tasks.rows[successor as usize]))
    }

    /// The name of an arrow; recorded dependencies also tell which were not kept.
    fn dependency(self, produced: Number, consumed: Number) -> &'static str {
        match self.document.has_dependencies && produced.value > consumed.value {
            true => "hb_violation",
            false => "dependency",
        }
    }

    fn aicore_end(self, place: u32, row: &TaskRow, at: Number) -> End {
        End {
            pid: AICORE,
            tid: core_track(row.core),
            at,
            slice: Some(self.plan.aicore_slice(place)),
        }
    }

    fn aicpu_end(self, place: u32, row: &TaskRow, at: Number) -> End {
        let slice = self.plan.aicpu_slice(place);
        End {
            pid: AICPU,
            tid: core_track(row.core) + u64::from(slice.lane),
            at,
            slice: slice.slice,
        }
    }

    /// Where a row's dispatch is on its scheduler thread, when both are known.
    fn dispatch_end(self, row: &TaskRow) -> Option<End> {
        let at = row.dispatch().filter(is_known)?;
        let thread = (*self.plan.threads.get(usize::from(row.core))?)?;
        Some(End {
            pid: SCHEDULER,
            tid: scheduler_track(thread),
            at,
            slice: None,
        })
    }
}

impl Maker<'_> {
    pub(super) fn dependencies_on_aicore(&mut self, part: Range<usize>) -> Result<(), Stopped> {
        let swimlane = self.swimlane;
        for ((place, row, end), (at, successor, start)) in swimlane.aicore_arrows(part) {
            let from = swimlane.aicore_end(place, row, before(end));
            let to = swimlane.aicore_end(at, successor, start);
            self.flow(swimlane.dependency(end, start), &from, &to)?;
        }
        Ok(())
    }

    pub(super) fn dependencies_on_aicpu(&mut self, part: Range<usize>) -> Result<(), Stopped> {
        let swimlane = self.swimlane;
        for ((place, row, finish), (at, successor, dispatch)) in swimlane.aicpu_arrows(part) {
            let from = swimlane.aicpu_end(place, row, before(finish));
            let to = swimlane.aicpu_end(at, successor, dispatch);
            self.flow(swimlane.dependency(finish, dispatch), &from, &to)?;
        }
        Ok(())
    }

    /// From the scheduler to the core and to the AICPU's view of it.
    pub(super) fn dispatches(&mut self, part: Range<usize>) -> Result<(), Stopped> {
        let swimlane = self.swimlane;
        for (place, row, from) in swimlane.dispatched(part) {
            let to = End {
                slice: None,
                ..swimlane.aicore_end(place, row, row.start())
            };
            self.flow("dispatch", &from, &to)?;
            let to = swimlane.aicpu_end(place, row, from.at);
            self.flow("dispatch", &from, &to)?;
        }
        Ok(())
    }

    /// From the orchestrator's last step for a task to its dispatch.
    pub(super) fn submissions(&mut self, part: Range<usize>) -> Result<(), Stopped> {
        for (name, from, to) in self.swimlane.submitted(part) {
            self.flow(name, &from, &to)?;
        }
        Ok(())
    }

    fn flow(&mut self, name: &str, from: &End, to: &End) -> Result<(), Stopped> {
        self.events.flow(self.number, name, from, to)?;
        self.number += 1;
        Ok(())
    }
}

fn before(end: Number) -> Number {
    Number::double(end.value - BEFORE_END_US)
}

/// A time below 0 is unknown; 0 passes for a time, though it stands for an unknown one too.
fn is_known(time: &Number) -> bool {
    time.value >= 0.0
}

/// The orchestrator's steps that arrows leave from, by task.
pub(super) struct LastSteps {
    /// The last `orch_fanin` of each.
    fanin: HashMap<TaskId, End>,
    /// The first `orch_params` of each.
    params: HashMap<TaskId, End>,
}

impl LastSteps {
    pub(super) fn of(document: &Document) -> Self {
        let mut steps = Self {
            fanin: HashMap::new(),
            params: HashMap::new(),
        };
        for (thread, of_thread) in (0_u64..).zip(&document.orchestrator_phases) {
            for step in of_thread {
                let end = End {
                    pid: ORCHESTRATOR,
                    tid: orchestrator_track(thread),
                    at: step.end,
                    slice: None,
                };
                match step.name() {
                    "orch_fanin" => {
                        steps.fanin.insert(step.task_id, end);
                    }
                    "orch_params" => {
                        steps.params.entry(step.task_id).or_insert(end);
                    }
                    _ => {}
                }
            }
        }
        steps
    }

    fn of_task(&self, task: TaskId) -> Option<(&'static str, End)> {
        let fanin = self
            .fanin
            .get(&task)
            .map(|&end| ("fanin\\u2192dispatch", end));
        fanin.or_else(|| {
            self.params
                .get(&task)
                .map(|&end| ("params\\u2192dispatch", end))
        })
    }
}
