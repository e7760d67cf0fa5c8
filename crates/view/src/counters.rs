//! What hardware counters counted of each task.

use crate::columns::{Columns, Values};
use crate::tasks::TaskRows;
use lanescope_trace::{Chip, PMU_COUNTERS, PmuEvent, PmuRow, PmuUnit, Trace};
use serde::Serialize;
use std::collections::HashMap;

/// The counters of a run, as the page is told of them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CounterFacts {
    pub(crate) event: u32,
    pub(crate) name: &'static str,
    pub(crate) columns: Vec<CounterColumn>,
    /// Rows of another event type, or of tasks without a row.
    pub(crate) unplaced: u64,
}

/// One counter.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CounterColumn {
    name: String,
    /// What a count over the cycles is.
    unit: &'static str,
    /// By what a count over the cycles is multiplied to be in that unit.
    scale: f64,
    /// Of the whole run, in that unit.
    mean: f64,
}

/// Encodes the counters of every task that has some; `None` when no task has.
pub(crate) fn encode(
    trace: &Trace,
    rows: &TaskRows,
    columns: &mut Columns,
) -> Option<CounterFacts> {
    let first = trace.pmu_rows().next()?;
    let chip = trace.session().chip.unwrap_or(Chip::A2a3);
    let event = chip.info().pmu_event(first.event);
    let numbers = used_counters(event);
    let (found, unplaced) = place(trace, rows, first.event);

    let (mut steps, mut cycles) = (Values::default(), Values::default());
    let mut counts = vec![Values::default(); numbers.len()];
    let mut sums = vec![0_u128; numbers.len()];
    let mut all_cycles = 0_u128;
    let mut latest = 0;
    for (row, counted) in &found {
        all_cycles += u128::from(counted.total_cycles);
        steps.push(u64::from(row - latest));
        cycles.push(counted.total_cycles);
        for ((values, sum), &number) in counts.iter_mut().zip(&mut sums).zip(&numbers) {
            values.push(counted.counters[number].into());
            *sum += u128::from(counted.counters[number]);
        }
        latest = *row;
    }
    columns.add("pmu_row", [steps]);
    columns.add("pmu_cycles", [cycles]);
    for (place, values) in counts.into_iter().enumerate() {
        columns.add(format!("pmu_{place}"), [values]);
    }
    Some(CounterFacts {
        event: first.event,
        name: event.map_or("unknown", |event| event.name),
        columns: numbers
            .iter()
            .zip(sums)
            .map(|(&number, sum)| column(event, number, sum, all_cycles))
            .collect(),
        unplaced,
    })
}

/// Counters with a name; all of them where the event type is not known.
fn used_counters(event: Option<&PmuEvent>) -> Vec<usize> {
    match event {
        Some(event) => event.columns().map(|(number, _)| number).collect(),
        None => (0..PMU_COUNTERS).collect(),
    }
}

fn column(event: Option<&PmuEvent>, number: usize, sum: u128, cycles: u128) -> CounterColumn {
    let Some(event) = event else {
        return CounterColumn {
            name: format!("counter_{number}"),
            unit: "per cycle",
            scale: 1.0,
            mean: PmuUnit::Cycles.rate(sum, cycles),
        };
    };
    let name = event.counters[number].column;
    let unit = PmuUnit::of(event, name);
    CounterColumn {
        name: name.to_owned(),
        unit: unit.name(),
        scale: unit.rate(1, 1),
        mean: unit.rate(sum, cycles),
    }
}

/// The rows of the counters beside the rows of their tasks, in that order, and how many have none.
fn place(trace: &Trace, rows: &TaskRows, event: u32) -> (Vec<(u32, PmuRow)>, u64) {
    let mut unplaced = 0;
    let mut waiting: HashMap<(u16, u32, u64), PmuRow> = HashMap::new();
    for counted in trace.pmu_rows() {
        let key = (counted.core, counted.token, counted.task_id);
        if counted.event != event || waiting.contains_key(&key) {
            unplaced += 1;
            continue;
        }
        waiting.insert(key, counted);
    }
    let mut found = Vec::with_capacity(waiting.len());
    for (row, task) in rows.rows(trace) {
        if let Some(counted) = waiting.remove(&(task.core, task.token, task.task_id)) {
            found.push((row, counted));
        }
    }
    found.sort_unstable_by_key(|&(row, _)| row);
    (found, unplaced + waiting.len() as u64)
}
