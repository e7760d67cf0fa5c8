//! What the hardware counters of a core said of one task, and several runs of a graph side by side.

use crate::rows::Row;
use crate::{Session, Trace};
use lanescope_abi::{CoreType, PmuEvent, PmuRecord, record::PMU_COUNTERS};
use std::collections::HashMap;

/// What the hardware counters of a core said of one task: its key is (run, core, token).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PmuRow {
    /// The task's identity in its graph.
    pub task_id: u64,
    /// The function the task ran.
    pub func_id: u32,
    /// Core index in the launch.
    pub core: u16,
    /// The kind of that core.
    pub core_type: CoreType,
    /// The AICPU thread that committed it.
    pub thread: u32,
    /// The core's dispatch number; 0 when the source has none.
    pub token: u32,
    /// The run; 0 when the source has none.
    pub run_id: u32,
    /// Event type the counters were programmed with.
    pub event: u32,
    /// Cycles between the opening and the closing of the gate.
    pub total_cycles: u64,
    /// The counters, by counter number, unused ones included.
    pub counters: [u32; PMU_COUNTERS],
    /// When it was committed; 0 when that is not known.
    pub ticks: u64,
}

impl Default for PmuRow {
    fn default() -> Self {
        Self {
            task_id: 0,
            func_id: 0,
            core: 0,
            core_type: CoreType::Aic,
            thread: 0,
            token: 0,
            run_id: 0,
            event: 0,
            total_cycles: 0,
            counters: [0; PMU_COUNTERS],
            ticks: 0,
        }
    }
}

impl Row for PmuRow {
    type Record = PmuRecord;

    /// A core type that is none is replaced by the core's own.
    fn of(record: &PmuRecord, thread: u32, session: &Session) -> Option<Self> {
        let core_type = session.cores.get(usize::from(record.core))?.core_type;
        Some(Self {
            task_id: record.task_id,
            func_id: record.func_id,
            core: record.core,
            core_type,
            thread,
            token: record.token,
            run_id: record.run_id,
            event: record.event,
            total_cycles: record.total_cycles,
            counters: record.counters,
            ticks: record.ticks,
        })
    }
}

/// Runs of one graph, each with another event type, joined by task.
///
/// A task that ran several blocks has several rows in each run: the n-th row of a task id in one run,
/// by (core, token), goes with the n-th of it in the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinedPmu {
    /// The event type of each run.
    pub events: Vec<u32>,
    /// By task id and occurrence.
    pub tasks: Vec<JoinedTask>,
}

/// What all runs say of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedTask {
    /// The task's identity in its graph.
    pub task_id: u64,
    /// Which of the rows with this id it is, from 0.
    pub occurrence: u32,
    /// Its row in each run, in the order of [`JoinedPmu::events`]; `None` where it has none.
    pub rows: Vec<Option<PmuRow>>,
}

impl JoinedPmu {
    /// Joins the runs; a run without rows is left out.
    #[must_use]
    pub fn of<'a>(runs: impl IntoIterator<Item = &'a Trace>) -> Self {
        let mut joined = Self::default();
        let mut places: HashMap<(u64, u32), usize> = HashMap::new();
        for trace in runs {
            let mut rows: Vec<PmuRow> = trace.pmu_rows().collect();
            let Some(first) = rows.first() else { continue };
            let run = joined.events.len();
            joined.events.push(first.event);
            rows.sort_by_key(|row| (row.task_id, row.core, row.token));
            let mut previous = None;
            for row in rows {
                let occurrence = match previous {
                    Some((task_id, occurrence)) if task_id == row.task_id => occurrence + 1,
                    _ => 0,
                };
                previous = Some((row.task_id, occurrence));
                let place = *places.entry((row.task_id, occurrence)).or_insert_with(|| {
                    joined.tasks.push(JoinedTask {
                        task_id: row.task_id,
                        occurrence,
                        rows: Vec::new(),
                    });
                    joined.tasks.len() - 1
                });
                let task = &mut joined.tasks[place];
                task.rows.resize(run, None);
                task.rows.push(Some(row));
            }
        }
        for task in &mut joined.tasks {
            task.rows.resize(joined.events.len(), None);
        }
        let key = |task: &JoinedTask| (task.task_id, task.occurrence);
        joined.tasks.sort_by_key(key);
        joined
    }

    /// Tasks that have a row in some runs and none in others.
    #[must_use]
    pub fn incomplete(&self) -> u64 {
        let tasks = self.tasks.iter();
        tasks.filter(|task| task.rows.contains(&None)).count() as u64
    }
}

/// What one count of a hardware counter stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PmuUnit {
    /// A cycle in which something was busy or stood still.
    Cycles,
    /// A request of so many bytes.
    Bytes(u32),
    /// Something that happened once.
    Events,
}

impl PmuUnit {
    /// The unit of a column of an event type.
    ///
    /// The vendor documents no size of a request. These are the ones that the simulator's model counts
    /// with, `docs/simulator.md`: 256 bytes at the L0 buffers, 64 elsewhere.
    #[must_use]
    pub fn of(event: &PmuEvent, column: &str) -> Self {
        let is_count = column.starts_with("icache") || column.ends_with("ins_iss_cnt");
        match event.number {
            1 | 2 | 6 if !is_count => Self::Cycles,
            4 | 5 | 7 if column.contains("l0") => Self::Bytes(256),
            4 | 5 | 7 => Self::Bytes(64),
            _ => Self::Events,
        }
    }

    /// Its name in a report, of a count by cycle.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cycles => "utilisation",
            Self::Bytes(_) => "bytes per cycle",
            Self::Events => "events per 1000 cycles",
        }
    }

    /// Counts over cycles, in the unit of [`Self::name`]; utilisation is 1 at most.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a ratio has no exact form")]
    pub fn rate(self, counts: u128, cycles: u128) -> f64 {
        if cycles == 0 {
            return 0.0;
        }
        let ratio = counts as f64 / cycles as f64;
        match self {
            Self::Cycles => ratio,
            Self::Bytes(bytes) => ratio * f64::from(bytes),
            Self::Events => ratio * 1000.0,
        }
    }
}
