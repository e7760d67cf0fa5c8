//! Looks at every record of a run: identity, place, order and edges.

use crate::Finished;
use lanescope_capture::Outcome;
use lanescope_trace::{Task, Trace};
use std::collections::HashMap;

/// What is wrong with a finished run; empty when nothing is.
///
/// Checked: the verdict is exact; as many records as tasks; no (core, token) twice; tokens of a
/// core without a gap, from its first; every core of the task's type; dispatch ≤ receive ≤ start ≤
/// end ≤ finish; no two tasks at once on a core; and for every edge, end of producer ≤ dispatch of
/// consumer.
#[must_use]
pub fn faults(finished: &Finished) -> Vec<String> {
    let mut faults = Vec::new();
    let verdict = &finished.outcome.verdict;
    if verdict.outcome != Outcome::Exact {
        faults.push(format!(
            "verdict {}: {:?}",
            verdict.outcome.name(),
            verdict.findings
        ));
    }
    if finished.trace.task_count() != finished.task_count {
        let found = finished.trace.task_count();
        faults.push(format!("{found} records of {} tasks", finished.task_count));
    }
    let mut found: Vec<u64> = finished.trace.tasks().map(|task| task.task_id).collect();
    let mut expected = finished.task_ids.clone();
    found.sort_unstable();
    expected.sort_unstable();
    let differs = |(found, expected): &(&u64, &u64)| found != expected;
    if let Some((found, expected)) = found.iter().zip(&expected).find(differs) {
        faults.push(format!(
            "a record of task {found} where task {expected} was expected"
        ));
    }
    if finished.trace.edges().len() as u64 != finished.edge_count {
        let found = finished.trace.edges().len();
        faults.push(format!(
            "{found} edges in the capture, {} in the graph",
            finished.edge_count
        ));
    }
    cores(&finished.trace, &mut faults);
    edges(&finished.trace, &mut faults);
    faults.truncate(12);
    faults
}

/// Identity, place and order of the tasks of each core.
fn cores(trace: &Trace, faults: &mut Vec<String>) {
    let cores = &trace.session().cores;
    let mut by_core: Vec<Vec<Task>> = vec![Vec::new(); cores.len()];
    for task in trace.tasks() {
        let Some(core) = cores.get(usize::from(task.core)) else {
            faults.push(format!(
                "task {} on core {}, which is not in the launch",
                task.task_id, task.core
            ));
            continue;
        };
        if core.core_type != task.core_type {
            faults.push(format!(
                "task {} of type {:?} on core {}",
                task.task_id, task.core_type, task.core
            ));
        }
        let ticks = [
            task.dispatch_ticks,
            task.receive_ticks,
            task.start_ticks,
            task.end_ticks,
            task.finish_ticks,
        ];
        if ticks[0] == 0 || !ticks.is_sorted() {
            faults.push(format!(
                "task {} has times out of order: {ticks:?}",
                task.task_id
            ));
        }
        by_core[usize::from(task.core)].push(task);
    }
    for (core, tasks) in by_core.iter().enumerate() {
        let Some(first) = cores[core].first_token else {
            faults.push(format!("core {core} has no first token in the capture"));
            continue;
        };
        let mut token = lanescope::Token::new(first).expect("the capture's reader checked it");
        for pair in tasks.windows(2) {
            if pair[1].start_ticks < pair[0].end_ticks {
                faults.push(format!(
                    "tasks {} and {} overlap on core {core}",
                    pair[0].task_id, pair[1].task_id
                ));
            }
        }
        for task in tasks {
            if task.token != token.raw() {
                faults.push(format!(
                    "core {core}: token {} where {} was due",
                    task.token,
                    token.raw()
                ));
                break;
            }
            token = token.next();
        }
    }
}

/// Every edge: the last end of the producer's rows against the first dispatch of the consumer's.
fn edges(trace: &Trace, faults: &mut Vec<String>) {
    let mut rows: HashMap<u64, (u64, u64)> = HashMap::new();
    for task in trace.tasks() {
        let row = rows.entry(task.task_id).or_insert((0, u64::MAX));
        row.0 = row.0.max(task.end_ticks);
        row.1 = row.1.min(task.dispatch_ticks);
    }
    for (from, to) in trace.edges().iter() {
        match (rows.get(&from), rows.get(&to)) {
            (Some((end, _)), Some((_, dispatch))) if end <= dispatch => {}
            (Some(_), Some(_)) => faults.push(format!("edge {from} -> {to} is not respected")),
            _ => faults.push(format!("edge {from} -> {to} names a task without a record")),
        }
    }
}
