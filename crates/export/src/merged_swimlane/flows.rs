//! Arrows, in the order in which the file has them.

use super::events::End;
use super::{
    AICORE, AICPU, ORCHESTRATOR, SCHEDULER, Swimlane, core_track, orchestrator_track,
    scheduler_track,
};
use lanescope_trace::json::Number;
use lanescope_trace::reference::{Document, TaskId, TaskRow};
use std::collections::HashMap;
use std::io::{self, Write};

/// An arrow leaves a slice this long before its end, so that a viewer finds the slice.
const BEFORE_END_US: f64 = 0.01;

impl<W: Write> Swimlane<'_, W> {
    /// From every row of a task to every row of each successor.
    pub(super) fn dependencies_on_aicore(&mut self) -> io::Result<()> {
        let (tasks, plan) = (&self.document.tasks, self.plan);
        for (place, row) in (0_u32..).zip(&tasks.rows) {
            let from = End {
                pid: AICORE,
                tid: core_track(row.core),
                at: before(row.end()),
                slice: Some(plan.aicore_slice(place)),
            };
            for successor in tasks.places(row).flat_map(|at| plan.rows.of_successor(at)) {
                let consumer = &tasks.rows[successor as usize];
                let to = End {
                    pid: AICORE,
                    tid: core_track(consumer.core),
                    at: consumer.start(),
                    slice: Some(plan.aicore_slice(successor)),
                };
                let name = self.dependency(row.end(), consumer.start());
                self.flow(name, &from, &to)?;
            }
        }
        Ok(())
    }

    /// The same between finish and dispatch, where both are known.
    pub(super) fn dependencies_on_aicpu(&mut self) -> io::Result<()> {
        let (tasks, plan) = (&self.document.tasks, self.plan);
        for (place, row) in (0_u32..).zip(&tasks.rows) {
            let Some(finish) = row.finish().filter(is_known) else {
                continue;
            };
            let from = self.aicpu_end(place, row, before(finish));
            for successor in tasks.places(row).flat_map(|at| plan.rows.of_successor(at)) {
                let consumer = &tasks.rows[successor as usize];
                let Some(dispatch) = consumer.dispatch().filter(is_known) else {
                    continue;
                };
                let to = self.aicpu_end(successor, consumer, dispatch);
                let name = self.dependency(finish, dispatch);
                self.flow(name, &from, &to)?;
            }
        }
        Ok(())
    }

    /// From the scheduler to the core and to the AICPU's view of it.
    pub(super) fn dispatches(&mut self) -> io::Result<()> {
        for (place, row) in (0_u32..).zip(&self.document.tasks.rows) {
            let Some(from) = self.dispatch_end(row) else {
                continue;
            };
            let to = End {
                pid: AICORE,
                tid: core_track(row.core),
                at: row.start(),
                slice: None,
            };
            self.flow("dispatch", &from, &to)?;
            let to = self.aicpu_end(place, row, from.at);
            self.flow("dispatch", &from, &to)?;
        }
        Ok(())
    }

    /// From the orchestrator's last step for a task to its dispatch.
    pub(super) fn submissions(&mut self) -> io::Result<()> {
        let steps = LastSteps::of(self.document);
        for row in &self.document.tasks.rows {
            let Some(to) = self.dispatch_end(row) else {
                continue;
            };
            if let Some((name, from)) = steps.of_task(row.id()) {
                self.flow(name, &from, &to)?;
            }
        }
        Ok(())
    }

    fn flow(&mut self, name: &str, from: &End, to: &End) -> io::Result<()> {
        self.events.flow(self.flows, name, from, to)?;
        self.flows += 1;
        Ok(())
    }

    /// The name of an arrow; recorded dependencies also tell which were not kept.
    fn dependency(&self, produced: Number, consumed: Number) -> &'static str {
        match self.document.has_dependencies && produced.value > consumed.value {
            true => "hb_violation",
            false => "dependency",
        }
    }

    fn aicpu_end(&self, place: u32, row: &TaskRow, at: Number) -> End {
        let slice = self.plan.aicpu_slice(place);
        End {
            pid: AICPU,
            tid: core_track(row.core) + u64::from(slice.lane),
            at,
            slice: slice.slice,
        }
    }

    /// Where a row's dispatch is on its scheduler thread, when both are known.
    fn dispatch_end(&self, row: &TaskRow) -> Option<End> {
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

fn before(end: Number) -> Number {
    Number::double(end.value - BEFORE_END_US)
}

/// A time below 0 is unknown; 0 passes for a time, though it stands for an unknown one too.
fn is_known(time: &Number) -> bool {
    time.value >= 0.0
}

/// The orchestrator's steps that arrows leave from, by task.
struct LastSteps {
    /// The last `orch_fanin` of each.
    fanin: HashMap<TaskId, End>,
    /// The first `orch_params` of each.
    params: HashMap<TaskId, End>,
}

impl LastSteps {
    fn of(document: &Document) -> Self {
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
