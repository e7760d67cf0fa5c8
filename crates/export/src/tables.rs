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
//! Ticks above [`i64::MAX`], which no counter reaches, are null.

use lanescope_trace::{Chip, Trace};

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
    /// An unsigned integer of 64 bits: an identity or a count.
    Uint64,
    /// An unsigned integer of 32 bits.
    Uint32,
    /// A signed integer of 64 bits: ticks.
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
    /// Of a column of [`Type::Uint64`], [`Type::Uint32`] or, below 2^63, [`Type::Int64`].
    Uint(u64),
    /// Of a column of [`Type::Text`].
    Text(&'a str),
}

impl<'a> Cell<'a> {
    /// A time, which is not known when it is 0.
    fn time(ticks: u64) -> Self {
        match ticks {
            0 => Self::Null,
            ticks if i64::try_from(ticks).is_err() => Self::Null,
            ticks => Self::Uint(ticks),
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
    column("round", Type::Uint64),
    column("tasks", Type::Uint64),
    column("pop_hits", Type::Uint64),
    column("pop_misses", Type::Uint64),
    column("task_id", Type::Uint64),
    column("rounds", Type::Uint64),
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
    column("total_cycles", Type::Uint64),
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
    column("ticks_per_second", Type::Uint64),
    column("first_ticks", Type::Int64),
    column("last_ticks", Type::Int64),
    column("cores", Type::Uint32),
    column("threads", Type::Uint32),
    column("level", Type::Uint32),
    column("pmu_event", Type::Uint32),
    column("ring_size", Type::Uint32),
    column("issue_depth", Type::Uint32),
    column("tasks", Type::Uint64),
    column("edges", Type::Uint64),
];

const VERDICTS: [Column; 12] = [
    column("run_id", Type::Uint32),
    column("outcome", Type::Text),
    column("expected_tasks", Type::Uint64),
    column("dispatched", Type::Uint64),
    column("total", Type::Uint64),
    column("collected", Type::Uint64),
    column("dropped_no_buffer", Type::Uint64),
    column("dropped_no_arena", Type::Uint64),
    column("dropped_other", Type::Uint64),
    column("mismatched", Type::Uint64),
    column("findings", Type::Uint64),
    column("abandoned", Type::Uint64),
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
            Self::Tasks => tasks(trace, &mut take),
            Self::Edges => {
                let uint = Cell::Uint;
                let mut edges = trace.edges().iter();
                edges.try_for_each(|(from, to)| take(&[uint(from), uint(to)]))
            }
            Self::Phases => phases(trace, &mut take),
            Self::Pmu => pmu(trace, &mut take),
            Self::Runs => take(&run(trace)),
            Self::Verdicts => verdict(trace).map_or(Ok(()), |row| take(&row)),
        }
    }
}

/// Tasks that are sorted together.
pub const SORTED_TASKS: usize = 1 << 19;

fn tasks<E>(trace: &Trace, take: &mut impl FnMut(&[Cell<'_>]) -> Result<(), E>) -> Result<(), E> {
    let (session, functions) = (trace.session(), trace.functions());
    let mut tasks = trace.tasks();
    let mut stretch = Vec::new();
    loop {
        stretch.clear();
        stretch.extend(tasks.by_ref().take(SORTED_TASKS));
        if stretch.is_empty() {
            return Ok(());
        }
        // Stable: those of one core keep their order.
        stretch.sort_by_key(|task| task.core);
        for task in &stretch {
            let core = &session.cores[usize::from(task.core)];
            take(&[
                Cell::Uint(task.task_id),
                Cell::Uint(u64::from(task.func_id)),
                functions.name(task.func_id).map_or(Cell::Null, Cell::Text),
                Cell::Uint(u64::from(task.core)),
                Cell::Text(core.core_type.name()),
                Cell::or_null(core.thread),
                Cell::or_null(Some(task.token).filter(|&token| token != 0)),
                Cell::or_null(Some(task.run_id).filter(|&run_id| run_id != 0)),
                Cell::time(task.dispatch_ticks),
                Cell::time(task.receive_ticks),
                Cell::time(task.start_ticks),
                Cell::time(task.end_ticks),
                Cell::time(task.finish_ticks),
            ])?;
        }
    }
}

fn phases<E>(trace: &Trace, take: &mut impl FnMut(&[Cell<'_>]) -> Result<(), E>) -> Result<(), E> {
    for thread in trace.threads() {
        for phase in trace.scheduler_phases(thread) {
            take(&[
                Cell::Uint(u64::from(thread)),
                Cell::Text("scheduler"),
                Cell::Text(phase.name()),
                Cell::time(phase.start_ticks),
                Cell::time(phase.end_ticks),
                Cell::Uint(phase.loop_iter),
                Cell::Uint(phase.tasks_processed),
                Cell::or_null(phase.pops.map(|(hits, _)| hits)),
                Cell::or_null(phase.pops.map(|(_, misses)| misses)),
                Cell::Null,
                Cell::or_null(Some(phase.rounds).filter(|&rounds| rounds != 0)),
            ])?;
        }
        for phase in trace.orchestrator_phases(thread) {
            take(&[
                Cell::Uint(u64::from(thread)),
                Cell::Text("orchestrator"),
                Cell::Text(phase.name()),
                Cell::time(phase.start_ticks),
                Cell::time(phase.end_ticks),
                Cell::Uint(phase.submit_index),
                Cell::Null,
                Cell::Null,
                Cell::Null,
                Cell::or_null(Some(phase.task_id).filter(|&id| id != u64::MAX)),
                Cell::Null,
            ])?;
        }
    }
    Ok(())
}

fn pmu<E>(trace: &Trace, take: &mut impl FnMut(&[Cell<'_>]) -> Result<(), E>) -> Result<(), E> {
    let chip = trace.session().chip.unwrap_or(Chip::A2a3).info();
    let functions = trace.functions();
    for row in trace.pmu_rows() {
        let Some(event) = chip.pmu_event(row.event) else {
            continue;
        };
        for (counter, column) in event.columns() {
            take(&[
                Cell::Uint(row.task_id),
                Cell::Uint(u64::from(row.func_id)),
                functions.name(row.func_id).map_or(Cell::Null, Cell::Text),
                Cell::Uint(u64::from(row.core)),
                Cell::Text(row.core_type.name()),
                Cell::Uint(u64::from(row.thread)),
                Cell::or_null(Some(row.token).filter(|&token| token != 0)),
                Cell::or_null(Some(row.run_id).filter(|&run_id| run_id != 0)),
                Cell::Text(event.name),
                Cell::Uint(row.total_cycles),
                Cell::Text(column),
                Cell::Uint(u64::from(row.counters[counter])),
                Cell::time(row.ticks),
            ])?;
        }
    }
    Ok(())
}

fn run(trace: &Trace) -> [Cell<'_>; RUNS.len()] {
    let session = trace.session();
    let bounds = trace.bounds_ticks();
    [
        Cell::or_null(run_id(trace)),
        Cell::known(&session.platform),
        session
            .chip
            .map_or(Cell::Null, |chip| Cell::Text(chip.name())),
        Cell::known(&session.workload),
        Cell::or_null(session.seed),
        Cell::Uint(session.ticks_per_second),
        bounds.map_or(Cell::Null, |(first, _)| Cell::time(first)),
        bounds.map_or(Cell::Null, |(_, last)| Cell::time(last)),
        Cell::Uint(session.cores.len() as u64),
        Cell::or_null(Some(session.threads).filter(|&threads| threads != 0)),
        Cell::or_null(session.level),
        Cell::or_null(session.pmu_event),
        Cell::or_null(session.ring_size),
        Cell::or_null(session.issue_depth),
        Cell::Uint(trace.task_count()),
        Cell::Uint(trace.edges().len() as u64),
    ]
}

/// The run's number, as its verdict or its first task has it.
fn run_id(trace: &Trace) -> Option<u32> {
    let first = trace.tasks().next().map(|task| task.run_id);
    let told = trace.verdict().map(|verdict| verdict.run_id);
    told.or(first).filter(|&run_id| run_id != 0)
}

fn verdict(trace: &Trace) -> Option<[Cell<'_>; VERDICTS.len()]> {
    let verdict = trace.verdict()?;
    let totals = &verdict.totals;
    Some([
        Cell::Uint(u64::from(verdict.run_id)),
        Cell::Text(verdict.outcome.name()),
        Cell::or_null(verdict.expected_tasks),
        Cell::Uint(verdict.dispatched),
        Cell::Uint(totals.total),
        Cell::Uint(totals.collected),
        Cell::Uint(totals.dropped.no_buffer),
        Cell::Uint(totals.dropped.no_arena),
        Cell::Uint(totals.dropped.other),
        Cell::Uint(totals.mismatched),
        Cell::Uint(verdict.findings.len() as u64),
        Cell::Uint(verdict.abandoned.len() as u64),
    ])
}
