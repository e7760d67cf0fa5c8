//! A trace as tables: one schema for CSV, Parquet, Arrow and SQL.
//!
//! # Schema
//!
//! Six tables, described column by column in `docs/parquet.md`: `tasks`, `edges`, `phases`, `pmu`, `runs`,
//! `verdicts`. Columns are only ever added, at the end of a table; [`SCHEMA_VERSION`] counts changes. Times
//! and durations are raw ticks, `runs.ticks_per_second` says of what; what is not known is null.
//!
//! # What can be lost
//!
//! Ticks and counts above [`i64::MAX`], which no counter reaches, are null.

mod rows;

use lanescope_trace::Trace;

pub use rows::SORTED_TASKS;

/// Counts changes of the schema; written into every Parquet and Arrow file.
pub const SCHEMA_VERSION: u32 = 1;

/// A table of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    /// A row for each executed task on a core.
    Tasks,
    /// A row for each dependency.
    Edges,
    /// A row for each stretch of what an AICPU thread did.
    Phases,
    /// A row for each counter of each task.
    Pmu,
    /// One row: the facts of the run.
    Runs,
    /// One row: what became of the run's records.
    Verdicts,
}

/// What a column holds; any value may be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// An unsigned integer of 64 bits: an identity.
    Uint64,
    /// An unsigned integer of 32 bits.
    Uint32,
    /// A signed integer of 64 bits: ticks or a count.
    Int64,
    /// Text of which there are few different ones.
    Text,
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Type,
}

/// One value of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Not known, or not so for this row.
    Null,
    /// Of a column of [`Type::Uint64`], of [`Type::Uint32`] below 2^32, of [`Type::Int64`] below 2^63.
    Uint(u64),
    /// Of a column of [`Type::Text`].
    Text(&'a str),
}

impl<'a> Cell<'a> {
    /// A time, which is not known when it is 0.
    fn time(ticks: u64) -> Self {
        match ticks {
            0 => Self::Null,
            ticks => Self::count(ticks),
        }
    }

    fn count(count: u64) -> Self {
        match i64::try_from(count) {
            Ok(_) => Self::Uint(count),
            Err(_) => Self::Null,
        }
    }

    fn or_null(value: Option<impl Into<u64>>) -> Self {
        value.map_or(Self::Null, |value| Self::Uint(value.into()))
    }

    fn known(text: &'a str) -> Self {
        match text {
            "" => Self::Null,
            text => Self::Text(text),
        }
    }
}

const fn column(name: &'static str, kind: Type) -> Column {
    Column { name, kind }
}

const TASKS: [Column; 13] = [
    column("task_id", Type::Uint64),
    column("func_id", Type::Uint32),
    column("function", Type::Text),
    column("core", Type::Uint32),
    column("core_type", Type::Text),
    column("thread", Type::Uint32),
    column("token", Type::Uint32),
    column("run_id", Type::Uint32),
    column("dispatch_ticks", Type::Int64),
    column("receive_ticks", Type::Int64),
    column("start_ticks", Type::Int64),
    column("end_ticks", Type::Int64),
    column("finish_ticks", Type::Int64),
];

const EDGES: [Column; 2] = [
    column("producer", Type::Uint64),
    column("consumer", Type::Uint64),
];

const PHASES: [Column; 11] = [
    column("thread", Type::Uint32),
    column("role", Type::Text),
    column("phase", Type::Text),
    column("start_ticks", Type::Int64),
    column("end_ticks", Type::Int64),
    column("round", Type::Int64),
    column("tasks", Type::Int64),
    column("pop_hits", Type::Int64),
    column("pop_misses", Type::Int64),
    column("task_id", Type::Uint64),
    column("rounds", Type::Int64),
];

const PMU: [Column; 13] = [
    column("task_id", Type::Uint64),
    column("func_id", Type::Uint32),
    column("function", Type::Text),
    column("core", Type::Uint32),
    column("core_type", Type::Text),
    column("thread", Type::Uint32),
    column("token", Type::Uint32),
    column("run_id", Type::Uint32),
    column("event", Type::Text),
    column("total_cycles", Type::Int64),
    column("counter", Type::Text),
    column("value", Type::Uint32),
    column("ticks", Type::Int64),
];

const RUNS: [Column; 16] = [
    column("run_id", Type::Uint32),
    column("platform", Type::Text),
    column("chip", Type::Text),
    column("workload", Type::Text),
    column("seed", Type::Uint64),
    column("ticks_per_second", Type::Int64),
    column("first_ticks", Type::Int64),
    column("last_ticks", Type::Int64),
    column("cores", Type::Uint32),
    column("threads", Type::Uint32),
    column("level", Type::Uint32),
    column("pmu_event", Type::Uint32),
    column("ring_size", Type::Uint32),
    column("issue_depth", Type::Uint32),
    column("tasks", Type::Int64),
    column("edges", Type::Int64),
];

const VERDICTS: [Column; 12] = [
    column("run_id", Type::Uint32),
    column("outcome", Type::Text),
    column("expected_tasks", Type::Int64),
    column("dispatched", Type::Int64),
    column("total", Type::Int64),
    column("collected", Type::Int64),
    column("dropped_no_buffer", Type::Int64),
    column("dropped_no_arena", Type::Int64),
    column("dropped_other", Type::Int64),
    column("mismatched", Type::Int64),
    column("findings", Type::Int64),
    column("abandoned", Type::Int64),
];

impl Table {
    /// Every table, in the order of the documentation.
    pub const ALL: [Self; 6] = [
        Self::Tasks,
        Self::Edges,
        Self::Phases,
        Self::Pmu,
        Self::Runs,
        Self::Verdicts,
    ];

    /// Its name, which is also that of its file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::Edges => "edges",
            Self::Phases => "phases",
            Self::Pmu => "pmu",
            Self::Runs => "runs",
            Self::Verdicts => "verdicts",
        }
    }

    /// Its columns, in order.
    #[must_use]
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::Tasks => &TASKS,
            Self::Edges => &EDGES,
            Self::Phases => &PHASES,
            Self::Pmu => &PMU,
            Self::Runs => &RUNS,
            Self::Verdicts => &VERDICTS,
        }
    }

    /// Hands every row of the table to `take`, until it fails.
    ///
    /// Tasks come core by core within stretches of [`SORTED_TASKS`], since rows of one core differ little;
    /// edges by producer, everything else in the order of the trace. Memory does not grow with the trace.
    ///
    /// # Errors
    ///
    /// Those of `take`.
    pub fn rows<E>(
        self,
        trace: &Trace,
        mut take: impl FnMut(&[Cell<'_>]) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Tasks => rows::tasks(trace, &mut take),
            Self::Edges => {
                let uint = Cell::Uint;
                let mut edges = trace.edges().iter();
                edges.try_for_each(|(from, to)| take(&[uint(from), uint(to)]))
            }
            Self::Phases => rows::phases(trace, &mut take),
            Self::Pmu => rows::pmu(trace, &mut take),
            Self::Runs => take(&rows::run(trace)),
            Self::Verdicts => rows::verdict(trace).map_or(Ok(()), |row| take(&row)),
        }
    }
}
