//! What must be known of all rows before the first event is written.

use super::lanes::{LanesOf, Span};
use super::rows::Rows;
use super::threads::threads_of;
use lanescope_trace::CoreType;
use lanescope_trace::reference::{Document, TaskId, TaskRow, TaskTable};
use std::collections::HashMap;

/// What must be known of all rows before the first event is written.
pub(super) struct Plan {
    pub(super) cores: Cores,
    pub(super) rows: Rows,
    /// Whether any row has a span from dispatch to finish.
    pub(super) has_aicpu_view: bool,
    /// By core of `cores`: lanes in the AICPU's view.
    pub(super) lane_counts: Vec<u32>,
    /// The scheduler thread of each core, where known; shorter when the rest is not.
    pub(super) threads: Vec<Option<u64>>,
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
        let cores = Cores::of(&tasks.rows);
        let rows = Rows::of(tasks);
        let has_aicpu_view = tasks.rows.iter().any(|row| row.aicpu_span().is_some());
        let lanes = LanesOf::of(tasks, &cores);
        let threads = match document.scheduler.is_empty() {
            true => Vec::new(),
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
            slices.share(tasks, &lanes.spans);
        }
        slices
    }

    /// The slices of the AICPU's view are numbered behind those of the AICore's.
    fn aicpu_begin(&self) -> u64 {
        self.lanes.len() as u64
    }

    /// Gives all rows of one task on one core what the last of them has: the last in the file for
    /// the numbers, the last that was dispatched for the lane.
    fn share(&mut self, tasks: &TaskTable, spans: &[Span]) {
        let key = |row: usize| (tasks.rows[row].id(), tasks.rows[row].core);
        let mut shared: HashMap<(TaskId, u16), Shared> = HashMap::new();
        for place in 0..tasks.rows.len() {
            let entry = shared.entry(key(place)).or_default();
            entry.aicore = u32::try_from(place).expect("rows are counted in 32 bits");
            if self.aicpu[place] != NONE {
                entry.aicpu = Some(self.aicpu[place]);
            }
        }
        for row in spans.iter().map(|span| span.row as usize) {
            let entry = shared.entry(key(row)).or_default();
            entry.lane = self.lanes[row];
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

/// The cores that rows name, ascending; the kind is what the core's first row says.
pub(super) struct Cores {
    pub(super) all: Vec<(u16, CoreType)>,
    /// By core index: how many rows it has.
    pub(super) row_counts: Vec<u32>,
}

impl Cores {
    fn of(rows: &[TaskRow]) -> Self {
        let mut cores = Self {
            all: Vec::new(),
            row_counts: vec![0; usize::from(u16::MAX) + 1],
        };
        for row in rows {
            let count = &mut cores.row_counts[usize::from(row.core)];
            *count += 1;
            if *count == 1 {
                cores.all.push((row.core, row.core_type()));
            }
        }
        cores.all.sort_unstable_by_key(|&(core, _)| core);
        cores
    }
}
