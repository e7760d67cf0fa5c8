//! Hardware counters against the tasks they belong to.

use lanescope::{ChipInfo, CoreType};
use lanescope_conformance::Finished;
use lanescope_trace::{PmuRow, Task, Trace};
use std::collections::HashMap;

/// By how much a total may differ from the task's ticks, in ns: the gate is opened and closed, and the
/// clock is read, beside the kernel.
const BESIDE_NS: f64 = 80.0;

/// What is wrong with the counters of a run; empty when nothing is.
///
/// Checked: one row for each task record, with its identity; the total is the time from start to end,
/// where times mean anything; every pipe is busy for at most that long, and the core's main pipe at all.
pub fn faults(
    finished: &Finished,
    chip: &'static ChipInfo,
    event: u32,
    is_timed: bool,
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut rows = HashMap::new();
    for row in finished.trace.pmu_rows() {
        let key = (row.run_id, row.core, row.token);
        if rows.insert(key, row).is_some() {
            faults.push(format!("{key:?} has counters twice"));
        }
    }
    for task in finished.trace.tasks() {
        let key = (task.run_id, task.core, task.token);
        match rows.remove(&key) {
            Some(row) => {
                faults.extend(fault(&finished.trace, chip, (event, is_timed), &task, &row));
            }
            None => faults.push(format!("{key:?} has no counters")),
        }
    }
    faults.extend(
        rows.keys()
            .map(|key| format!("counters of {key:?}, which is no task")),
    );
    faults.truncate(12);
    faults
}

fn fault(
    trace: &Trace,
    chip: &'static ChipInfo,
    (event, is_timed): (u32, bool),
    task: &Task,
    row: &PmuRow,
) -> Option<String> {
    let told = (row.task_id, row.func_id, row.core_type, row.event);
    if told != (task.task_id, task.func_id, task.core_type, event) {
        return Some(format!("{told:?} of {task:?}"));
    }
    let took_ns = trace
        .session()
        .microseconds(task.end_ticks - task.start_ticks)
        * 1000.0;
    let total_ns = total_ns(chip, row);
    let tick_ns = 1e9 / ticks(chip.ticks_per_second);
    if is_timed && (total_ns - took_ns).abs() > 2.0 * tick_ns + BESIDE_NS {
        return Some(format!(
            "{total_ns:.0} ns in the total, {took_ns:.0} from start to end: {row:?}"
        ));
    }
    let counted = chip.pmu_event(event).expect("an event type of the chip");
    for (counter, column) in counted.columns() {
        let count = u64::from(row.counters[counter]);
        let is_cycles = column.contains("busy");
        if is_cycles && count > row.total_cycles {
            return Some(format!("{column} {count} of {}", row.total_cycles));
        }
        let main = match row.core_type {
            CoreType::Aic => ["cube_busy_cycles", "cube_instr_busy"],
            CoreType::Aiv => ["vec_busy_cycles", "pmu_idc_aic_vec_busy_o"],
        };
        if main.contains(&column) && count == 0 {
            return Some(format!("{column} is 0: {row:?}"));
        }
    }
    None
}

/// How long the gate was open.
pub fn total_ns(chip: &ChipInfo, row: &PmuRow) -> f64 {
    let per_us = match chip.name {
        "a2a3" => 1850.0,
        _ => 1650.0,
    };
    ticks(row.total_cycles) * 1000.0 / per_us
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn ticks(number: u64) -> f64 {
    number as f64
}
