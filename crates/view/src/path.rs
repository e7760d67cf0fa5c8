//! The critical path of a run, as rows of the page.

use crate::columns::{Columns, Values};
use crate::tasks::TaskRows;
use lanescope_report::CriticalPath;
use lanescope_trace::{Task, Trace};
use serde::Serialize;
use std::collections::HashMap;

/// What the page is told of the path beside its steps.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct PathFacts {
    /// From the end of the last step to the end of the makespan.
    tail_ticks: u64,
    /// The longest chain of run times.
    floor_ticks: u64,
}

/// Encodes the steps, first to last; `None` when the run has no path.
pub(crate) fn encode(trace: &Trace, rows: &TaskRows, columns: &mut Columns) -> Option<PathFacts> {
    let path = CriticalPath::of(trace)?;
    let key = |task: &Task| (task.core, task.token, task.task_id, task.start_ticks);
    let steps = path.steps.iter().map(|step| key(&step.task));
    let places: HashMap<_, _> = steps.zip(0_usize..).collect();
    let mut step_rows = vec![0; path.steps.len()];
    for (row, task) in rows.rows(trace) {
        if let Some(&place) = places.get(&key(&task)) {
            step_rows[place] = row;
        }
    }
    let mut values: [Values; 5] = Default::default();
    let [steps, notices, queues, heads, unknowns] = &mut values;
    let mut latest = 0;
    for (row, step) in step_rows.into_iter().zip(&path.steps) {
        steps.push_step(latest, row.into());
        notices.push(step.wait.notice_ticks);
        queues.push(step.wait.queue_ticks);
        heads.push(step.wait.head_ticks);
        unknowns.push(step.wait.unknown_ticks);
        latest = row.into();
    }
    let names = ["row", "notice", "queue", "head", "unknown"];
    for (name, values) in names.into_iter().zip(values) {
        columns.add(format!("path_{name}"), [values]);
    }
    Some(PathFacts {
        tail_ticks: path.tail_ticks,
        floor_ticks: path.floor_ticks,
    })
}
