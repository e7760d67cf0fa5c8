//! The tasks as columns, core by core.

use crate::ViewError;
use crate::base::Base;
use crate::columns::{Columns, Values};
use crate::losses::Losses;
use lanescope_trace::{Task, Trace};
use std::collections::HashMap;

/// The columns of a task, in this order.
const NAMES: [&str; 9] = [
    "start", "end", "receive", "dispatch", "finish", "token", "func", "id_low", "id_high",
];

/// A page with more does not open in a browser.
const MOST_TASKS: u64 = 50_000_000;

/// Where the tasks of each core are among all rows.
#[derive(Debug)]
pub(crate) struct TaskRows {
    /// The first row of each core, and behind the last one the number of all.
    pub(crate) first_rows: Vec<u32>,
    /// The ids of the functions, by the number that the page gives them.
    pub(crate) functions: Vec<u32>,
}

/// Encodes the tasks; `losses` learns of every gap between their tokens.
pub(crate) fn encode(
    trace: &Trace,
    base: Base,
    columns: &mut Columns,
    losses: &mut Losses,
) -> Result<TaskRows, ViewError> {
    let count = trace.task_count();
    if count > MOST_TASKS {
        return Err(ViewError::TooMany {
            what: "tasks",
            count,
            limit: MOST_TASKS,
        });
    }
    let mut cores = vec![CoreTasks::default(); trace.session().cores.len()];
    let mut functions = FunctionNumbers::default();
    for task in trace.tasks() {
        losses.task(&task);
        let function = functions.number(task.func_id);
        cores[usize::from(task.core)].push(&task, function, base);
    }
    let mut first_rows = Vec::with_capacity(cores.len() + 1);
    let mut rows = 0;
    for core in &cores {
        first_rows.push(rows);
        rows += core.rows;
    }
    first_rows.push(rows);
    for (column, name) in NAMES.into_iter().enumerate() {
        let pieces = cores.iter_mut();
        columns.add(
            name,
            pieces.map(|core| std::mem::take(&mut core.columns[column])),
        );
    }
    Ok(TaskRows {
        first_rows,
        functions: functions.ids,
    })
}

impl TaskRows {
    /// How many rows there are.
    pub(crate) fn count(&self) -> u32 {
        *self
            .first_rows
            .last()
            .expect("the number of all rows is last")
    }

    /// Every task with its row.
    pub(crate) fn rows<'a>(&self, trace: &'a Trace) -> impl Iterator<Item = (u32, Task)> + 'a {
        let mut next = self.first_rows.clone();
        trace.tasks().map(move |task| {
            let row = &mut next[usize::from(task.core)];
            *row += 1;
            (*row - 1, task)
        })
    }
}

/// The tasks of one core on their way into columns.
#[derive(Clone, Default)]
struct CoreTasks {
    rows: u32,
    start: u64,
    token: u64,
    task_id: u64,
    columns: [Values; NAMES.len()],
}

impl CoreTasks {
    #[inline]
    fn push(&mut self, task: &Task, function: u64, base: Base) {
        let place = |ticks| base.place(ticks);
        let (start, end) = (place(task.start_ticks), place(task.end_ticks));
        let token = u64::from(task.token);
        let halves = [self.task_id, task.task_id].map(halves);
        let [
            starts,
            ends,
            receives,
            dispatches,
            finishes,
            tokens,
            functions,
            lows,
            highs,
        ] = &mut self.columns;
        // Times stand close to one another, so each is told by its way from a neighbour.
        starts.push_step(self.start, start);
        ends.push_step(start, end);
        receives.push_step(place(task.receive_ticks), start);
        dispatches.push_step(place(task.dispatch_ticks), start);
        finishes.push_step(end, place(task.finish_ticks));
        tokens.push_step(self.token, token);
        functions.push(function);
        lows.push_step_32(halves[0].0, halves[1].0);
        highs.push_step_32(halves[0].1, halves[1].1);
        (self.start, self.token, self.task_id) = (start, token, task.task_id);
        self.rows += 1;
    }
}

/// The low and the high half of a number: a browser's whole numbers end at 53 bits.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "each half has 32 bits")]
pub(crate) const fn halves(number: u64) -> (u32, u32) {
    (number as u32, (number >> 32) as u32)
}

/// Functions in the order in which tasks name them.
#[derive(Default)]
struct FunctionNumbers {
    ids: Vec<u32>,
    numbers: HashMap<u32, u64>,
    latest: Option<(u32, u64)>,
}

impl FunctionNumbers {
    #[inline]
    fn number(&mut self, func_id: u32) -> u64 {
        if let Some((latest, number)) = self.latest
            && latest == func_id
        {
            return number;
        }
        let number = *self.numbers.entry(func_id).or_insert_with(|| {
            self.ids.push(func_id);
            self.ids.len() as u64 - 1
        });
        self.latest = Some((func_id, number));
        number
    }
}
