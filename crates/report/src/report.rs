//! The numbers of a report.

use crate::measure;
use lanescope_trace::Trace;
use serde::Serialize;

/// Statistics of one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The facts of the session.
    pub session: SessionReport,
    /// What became of the records, when the source says.
    pub verdict: Option<VerdictReport>,
    /// From the first known time of any task to the last.
    pub makespan_ns: Option<u64>,
    /// By function id.
    pub functions: Vec<FunctionReport>,
    /// Cube cores, then vector cores, as far as the session has them.
    pub core_types: Vec<CoreTypeReport>,
    /// By core index, idle ones included.
    pub cores: Vec<CoreReport>,
    /// By AICPU thread; empty below swimlane level 3.
    pub schedulers: Vec<SchedulerReport>,
    /// Hardware counters, when they were collected.
    pub pmu: Option<PmuReport>,
    /// Tensors, when they were dumped.
    pub dump: Option<DumpReport>,
    /// What the reader of the trace could not place or had to assume.
    pub notes: Vec<String>,
}

/// The facts of the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionReport {
    /// Platform name.
    pub platform: String,
    /// Workload name, empty when not known.
    pub workload: String,
    /// Rate of the counter.
    pub ticks_per_second: u64,
    /// Tasks that have a record.
    pub tasks: u64,
    /// Dependency edges.
    pub edges: u64,
    /// AICPU threads that scheduled; 0 when not known.
    pub aicpu_threads: u32,
    /// Swimlane level, when known.
    pub swimlane_level: Option<u32>,
    /// Slots of each staging ring, when known.
    pub ring_size: Option<u32>,
    /// Most tokens in flight on a core, when known.
    pub issue_depth: Option<u32>,
    /// Seed of the simulated driver, when there was one.
    pub seed: Option<u64>,
}

/// What became of the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerdictReport {
    /// `exact`, `lossy`, `broken` or `partial`.
    pub outcome: &'static str,
    /// Tasks in the graph, where the host knows it.
    pub expected_tasks: Option<u64>,
    /// Tokens dispatched.
    pub dispatched: u64,
    /// Commit attempts.
    pub total: u64,
    /// Records in the capture.
    pub collected: u64,
    /// Records dropped.
    pub dropped: u64,
    /// Slots that did not match.
    pub mismatched: u64,
    /// Tokens dispatched and never committed.
    pub abandoned: u64,
    /// Each of them: core, token and, where they are known, task and function.
    pub in_flight: Vec<String>,
    /// Commits that waited for a buffer.
    pub waits: u64,
    /// Time spent in those waits, all threads together.
    pub blocked_ns: u64,
    /// What is not as it should be.
    pub findings: Vec<String>,
}

/// One function's tasks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FunctionReport {
    /// The function.
    pub func_id: u32,
    /// Its name, or `func_<id>`.
    pub name: String,
    /// Its tasks, rows of one task counted apart.
    pub count: u64,
    /// Its part of all kernel time, 0..=1.
    pub share: f64,
    /// Kernel time: start to end.
    pub run: Spread,
    /// Head wait: dispatch to start.
    pub head_wait: Spread,
    /// Tail wait: end to finish.
    pub tail_wait: Spread,
}

/// Durations of one kind: only those whose two times are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// How many are known.
    pub known: u64,
    /// How many are not, or run backwards.
    pub unknown: u64,
    /// The sum of the known ones.
    pub sum_ns: u64,
    /// Their mean.
    pub mean_ns: Option<f64>,
    /// The element at place `n / 2`, rounded down, of the sorted ones.
    pub p50_ns: Option<u64>,
    /// The element at place `n * 99 / 100`, rounded down.
    pub p99_ns: Option<u64>,
    /// The longest.
    pub max_ns: Option<u64>,
}

/// The cores of one type.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CoreTypeReport {
    /// `aic` or `aiv`.
    pub core_type: &'static str,
    /// How many the session has.
    pub cores: u64,
    /// How many of them ran a task.
    pub used: u64,
    /// Their tasks.
    pub tasks: u64,
    /// Their kernel time.
    pub busy_ns: u64,
    /// Kernel time over makespan, mean over all of them.
    pub utilisation: f64,
    /// The least busy core's.
    pub least: f64,
    /// The busiest core's.
    pub most: f64,
}

/// One core.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CoreReport {
    /// Core index in the launch.
    pub core: u32,
    /// `AIC_3`, `AIV_40`.
    pub name: String,
    /// The AICPU thread that owned it, when known.
    pub thread: Option<u32>,
    /// Its tasks.
    pub tasks: u64,
    /// Its kernel time.
    pub busy_ns: u64,
    /// Kernel time over makespan.
    pub utilisation: f64,
}

/// What one AICPU thread did between its first and its last phase.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SchedulerReport {
    /// The thread.
    pub thread: u32,
    /// Rounds of its loop: the last one that a phase speaks of.
    pub loops: u64,
    /// From the begin of its first phase to the end of its last.
    pub span_ns: u64,
    /// Tasks it saw finished.
    pub completed: u64,
    /// Tasks it dispatched.
    pub dispatched: u64,
    /// Tasks it saw finished in a round, on average.
    pub completed_per_loop: f64,
    /// Looks at a ready queue that found a task.
    pub pop_hits: u64,
    /// Looks that found none.
    pub pop_misses: u64,
    /// Hits over looks, when there was any look.
    pub pop_hit_rate: Option<f64>,
    /// Phase records that are missing.
    pub lost_phases: u64,
    /// Its time by phase. `blocked` overlaps the others: it lies inside one of them, or between two.
    pub phases: Vec<PhaseReport>,
}

/// One kind of phase of one thread.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhaseReport {
    /// `complete`, `dispatch`, `idle`, `blocked` and so on.
    pub name: &'static str,
    /// How many records of it there are.
    pub count: u64,
    /// Their time.
    pub sum_ns: u64,
    /// Their part of the thread's span, 0..=1.
    pub share: f64,
}

/// Hardware counters by function.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PmuReport {
    /// The event type.
    pub event: u32,
    /// Its name.
    pub event_name: &'static str,
    /// Rows.
    pub rows: u64,
    /// Rows of another event type, which are in no sum.
    pub rows_of_other_events: u64,
    /// By function id.
    pub functions: Vec<PmuFunctionReport>,
}

/// The counters of one function's tasks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PmuFunctionReport {
    /// The function.
    pub func_id: u32,
    /// Its name, or `func_<id>`.
    pub name: String,
    /// Tasks with counters.
    pub rows: u64,
    /// Cycles of all of them.
    pub cycles: u64,
    /// By column of the event type.
    pub counters: Vec<PmuCounterReport>,
}

/// One counter over one function's tasks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PmuCounterReport {
    /// Its column.
    pub column: &'static str,
    /// Its sum.
    pub sum: u64,
    /// What `rate` is: `utilisation` (0..=1), `bytes per cycle` or `events per 1000 cycles`.
    pub unit: &'static str,
    /// The sum over the cycles.
    pub rate: f64,
}

/// Tensors that were dumped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DumpReport {
    /// How many.
    pub tensors: u64,
    /// Bytes that were kept.
    pub bytes: u64,
    /// Bytes that the whole tensors have.
    pub tensor_bytes: u64,
    /// Recorded before their task was dispatched.
    pub before_dispatch: u64,
    /// Recorded after it had finished.
    pub after_completion: u64,
    /// That their task reads.
    pub inputs: u64,
    /// That it writes.
    pub outputs: u64,
    /// That it reads and writes.
    pub inouts: u64,
    /// Of which not all was kept.
    pub truncated: u64,
    /// Whose bytes were overwritten before the host had copied them, as the verdict says.
    pub overwritten: u64,
}

impl Report {
    /// Reduces a trace to its statistics.
    #[must_use]
    pub fn of(trace: &Trace) -> Self {
        Self::of_with(trace, |_| {})
    }

    /// The same, and now and then says how many tasks have been read.
    #[must_use]
    pub fn of_with(trace: &Trace, progress: impl FnMut(u64)) -> Self {
        measure::measure(trace, progress)
    }

    /// For a terminal; readable without colour.
    #[must_use]
    pub fn text(&self) -> String {
        crate::text::text(self)
    }

    /// For programs: one JSON object, times in nanoseconds.
    ///
    /// # Panics
    ///
    /// Never: a report holds numbers, names and lists.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("numbers, names and lists always have a JSON form");
        text.push('\n');
        text
    }
}
