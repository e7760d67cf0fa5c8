//! What must be known of all rows before the first event is written.

use super::lanes::LanesOf;
use super::rows::Rows;
use super::threads::threads_of;
use lanescope_trace::CoreType;
use lanescope_trace::reference::{Document, TaskId, TaskRow, TaskTable};
use std::collections::HashMap;

/// What must be known of all rows before the first event is written.
pub(super) struct Plan {
    pub(super) cores: CoreRows,
    pub(super) rows: Rows,
    /// Whether any row has a span from dispatch to finish.
    pub(super) has_aicpu_view: bool,
    /// By core of `cores`: lanes in the AICPU's view.
    pub(super) lane_counts: Vec<u32>,
    /// The scheduler thread of each core, where known.
    pub(super) threads: HashMap<u16, u64>,
    slices: Slices,
}

/// Where a row's slice in the AICPU's view is.
#[derive(Clone, Copy)]
pub(super) struct AicpuSlice {
    pub(super) lane: u32,
    /// Its number, when it has a slice.
    pub(super) slice: Option<u64>,
}

/// By row, what arrows bind to. Rows of one task on one core have theirs in common.
struct Slices {
    /// The number of the slice in the AICore's view, when it is not the row's own place.
    aicore: Option<Vec<u32>>,
    aicpu: Vec<u32>,
    lanes: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Plan {
    pub(super) fn of(document: &Document) -> Self {
        let tasks = &document.tasks;
        let cores = CoreRows::of(&tasks.rows);
        let rows = Rows::of(tasks);
        let has_aicpu_view = tasks.rows.iter().any(|row| row.aicpu_span().is_some());
        let lanes = LanesOf::of(tasks, &cores);
        let threads = match document.scheduler.is_empty() {
            true => HashMap::new(),
            false => threads_of(document),
        };
        Self {
            has_aicpu_view,
            lane_counts: lanes.counts.clone(),
            slices: Slices::of(tasks, lanes, rows.has_repeats()),
            threads,
            rows,
            cores,
        }
    }

    /// The number of a row's slice in the AICore's view.
    #[inline]
    pub(super) fn aicore_slice(&self, row: u32) -> u64 {
        let aicore = self.slices.aicore.as_ref();
        u64::from(aicore.map_or(row, |slices| slices[row as usize]))
    }

    /// The place of a row's slice in the AICPU's view.
    #[inline]
    pub(super) fn aicpu_slice(&self, row: u32) -> AicpuSlice {
        let slice = self.slices.aicpu[row as usize];
        AicpuSlice {
            lane: self.slices.lanes[row as usize],
            slice: (slice != NONE).then(|| self.slices.aicpu_begin() + u64::from(slice)),
        }
    }
}

impl Slices {
    fn of(tasks: &TaskTable, lanes: LanesOf, has_repeats: bool) -> Self {
        let mut next = 0;
        let number = |row: &TaskRow| {
            row.aicpu_span().map_or(NONE, |_| {
                next += 1;
                next - 1
            })
        };
        let mut slices = Self {
            aicore: None,
            aicpu: tasks.rows.iter().map(number).collect(),
            lanes: lanes.by_row,
        };
        if has_repeats {
            slices.share(tasks, &lanes.order);
        }
        slices
    }

    /// The slices of the AICPU's view are numbered behind those of the AICore's.
    fn aicpu_begin(&self) -> u64 {
        self.lanes.len() as u64
    }

    /// Gives all rows of one task on one core what the last of them has: the last in the file for
    /// the numbers, the last that was dispatched for the lane.
    fn share(&mut self, tasks: &TaskTable, order: &[u32]) {
        let key = |row: usize| (tasks.rows[row].id(), tasks.rows[row].core);
        let mut shared: HashMap<(TaskId, u16), Shared> = HashMap::new();
        for place in 0..tasks.rows.len() {
            let entry = shared.entry(key(place)).or_default();
            entry.aicore = u32::try_from(place).expect("rows are counted in 32 bits");
            if self.aicpu[place] != NONE {
                entry.aicpu = Some(self.aicpu[place]);
            }
        }
        for &row in order {
            let entry = shared.entry(key(row as usize)).or_default();
            entry.lane = self.lanes[row as usize];
        }
        let mut aicore = Vec::with_capacity(tasks.rows.len());
        for place in 0..tasks.rows.len() {
            let entry = shared[&key(place)];
            aicore.push(entry.aicore);
            self.aicpu[place] = entry.aicpu.unwrap_or(NONE);
            self.lanes[place] = entry.lane;
        }
        self.aicore = Some(aicore);
    }
}

#[derive(Clone, Copy, Default)]
struct Shared {
    aicore: u32,
    aicpu: Option<u32>,
    lane: u32,
}

/// The cores that rows name, ascending, and the rows of each in file order.
pub(super) struct CoreRows {
    /// Index and kind; the kind is what the core's first row says.
    pub(super) cores: Vec<(u16, CoreType)>,
    begins: Vec<usize>,
    rows: Vec<u32>,
}

impl CoreRows {
    fn of(rows: &[TaskRow]) -> Self {
        let mut counts = vec![0_usize; usize::from(u16::MAX) + 1];
        let mut kinds = HashMap::new();
        for row in rows {
            counts[usize::from(row.core)] += 1;
            if counts[usize::from(row.core)] == 1 {
                kinds.insert(row.core, row.core_type());
            }
        }
        let mut cores: Vec<_> = kinds.into_iter().collect();
        cores.sort_unstable_by_key(|&(core, _)| core);
        let mut begins = vec![0];
        let mut total = 0;
        for &(core, _) in &cores {
            let count = &mut counts[usize::from(core)];
            (*count, total) = (total, total + *count);
            begins.push(total);
        }
        let mut by_core = vec![0; rows.len()];
        for (place, row) in (0_u32..).zip(rows) {
            let cursor = &mut counts[usize::from(row.core)];
            by_core[*cursor] = place;
            *cursor += 1;
        }
        Self {
            cores,
            begins,
            rows: by_core,
        }
    }

    /// The rows of a core of `cores`.
    pub(super) fn rows(&self, core: usize) -> &[u32] {
        &self.rows[self.begins[core]..self.begins[core + 1]]
    }
}
