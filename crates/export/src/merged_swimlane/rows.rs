//! Which rows a task id names.

use lanescope_trace::reference::{TaskId, TaskTable};
use std::collections::HashMap;

/// Stands for no row.
const NONE: u32 = u32::MAX;

/// The rows of each task, and of each successor.
pub(super) struct Rows {
    /// By place of the successor: the first row of that task.
    first: Vec<u32>,
    /// By row: the next one of the same task. Empty when every task has one row.
    next: Vec<u32>,
}

impl Rows {
    pub(super) fn of(tasks: &TaskTable) -> Self {
        let index = Index::of(tasks);
        let count =
            u32::try_from(tasks.successor_count()).expect("successors are counted in 32 bits");
        let first = (0..count).map(|place| index.first(tasks.successor(place)));
        Self {
            first: first.collect(),
            next: index.next,
        }
    }

    /// Whether a task has several rows.
    pub(super) fn has_repeats(&self) -> bool {
        !self.next.is_empty()
    }

    /// The rows of the successor at a place, in file order.
    #[inline]
    pub(super) fn of_successor(&self, place: u32) -> impl Iterator<Item = u32> {
        let known = |row: u32| (row != NONE).then_some(row);
        let first = known(self.first[place as usize]);
        std::iter::successors(first, move |&row| {
            self.next.get(row as usize).copied().and_then(known)
        })
    }
}

/// The first row of every task.
struct Index {
    by_id: HashMap<TaskId, u32>,
    next: Vec<u32>,
}

impl Index {
    fn of(tasks: &TaskTable) -> Self {
        let mut by_id = HashMap::with_capacity(tasks.rows.len());
        let mut next = Vec::new();
        // From the last to the first, so that each finds the one behind it.
        for (place, row) in (0_u32..)
            .zip(&tasks.rows)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
        {
            if let Some(behind) = by_id.insert(row.id(), place) {
                next.resize(tasks.rows.len(), NONE);
                next[place as usize] = behind;
            }
        }
        Self { by_id, next }
    }

    fn first(&self, id: TaskId) -> u32 {
        self.by_id.get(&id).copied().unwrap_or(NONE)
    }
}
