//! The numbers of a report.

use crate::measure;
use lanescope_trace::Trace;
use serde::Serialize;

/// The version of the JSON form; a field is added without a new one, never renamed or removed.
pub const SCHEMA: u32 = 1;

/// Statistics of one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
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
    /// What held the run up; `None` without edges.
    pub limits: Option<LimitsReport>,
    /// The chain of tasks that ended last; `None` without edges.
    pub critical_path: Option<PathReport>,
    /// The longest run times, longest first.
    pub slowest: Vec<SlowTask>,
    /// The longest stretches in which a core had nothing in hand between two tasks.
    pub gaps: Vec<GapReport>,
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
    /// Name of the host, empty when not known.
    pub host: String,
    /// Logical device id, when known.
    pub device: Option<u32>,
    /// The devices of a merged trace; empty for a run of one device.
    pub devices: Vec<DeviceReport>,
}

/// One device of a merged trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeviceReport {
    /// What outputs call it.
    pub name: String,
    /// Its cores.
    pub cores: u32,
    /// What was added to its clock.
    pub offset_ns: i64,
    /// How far its times may be off against those of the first device.
    pub uncertainty_ns: u64,
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
    /// Rows that ran more than twice as long as the median of the function.
    pub stragglers: Stragglers,
}

/// Rows that ran more than twice as long as the median of their function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stragglers {
    /// How many.
    pub count: u64,
    /// What they ran longer than the median, together.
    pub excess_ns: u64,
    /// The task that ran longest, if it is one of them.
    pub worst_task: Option<u64>,
}

/// A part of the run by what the cores did; the parts of a core add up to the makespan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PartsReport {
    /// A kernel ran.
    pub run_ns: u64,
    /// The next task had been dispatched and had not started.
    pub head_wait_ns: u64,
    /// A task had ended, and its AICPU thread had not seen it.
    pub tail_wait_ns: u64,
    /// Nothing was in hand.
    pub starved_ns: u64,
    /// Nothing was in hand, and the AICPU thread waited for the host.
    pub blocked_ns: u64,
    /// Beside a time that is not known, or a lost record.
    pub unknown_ns: u64,
}

/// The makespan by what held the run up; the first three add up to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LimitsReport {
    /// All that could run ran.
    pub dependencies_ns: u64,
    /// Tasks waited, and every core of their type ran one.
    pub cores_ns: u64,
    /// A task waited and a core of its type ran nothing, or nothing waited and nothing ran.
    pub scheduler_ns: u64,
    /// No core ran anything; part of the others.
    pub nothing_ran_ns: u64,
    /// Rows whose wait is not known, as a time of theirs or of a producer is not.
    pub unknown_rows: u64,
    /// Dispatched tasks without a row: while they ran, a core seemed to stand still.
    pub lost_rows: u64,
    /// Cores that stood still, by core type.
    pub idle: Vec<IdleReport>,
}

impl LimitsReport {
    /// What limits, and for how long; together the makespan.
    pub(crate) const fn parts(&self) -> [(&'static str, u64); 3] {
        [
            ("dependencies: all that could run ran", self.dependencies_ns),
            ("cores: every core of a wanted type ran", self.cores_ns),
            (
                "scheduler: a task waited beside a free core",
                self.scheduler_ns,
            ),
        ]
    }
}

/// Cores of one type that ran nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IdleReport {
    /// `aic` or `aiv`.
    pub core_type: &'static str,
    /// Core time that ran nothing while as many tasks waited.
    pub beside_waiting_ns: u64,
    /// Core time that ran nothing when no task was left that waited.
    pub without_waiting_ns: u64,
}

/// The chain of tasks that ended last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PathReport {
    /// Run time of its steps.
    pub run_ns: u64,
    /// Waits of its steps: notice, queue, head and unknown together.
    pub wait_ns: u64,
    /// Of the waits: until the producer's end was seen.
    pub notice_ns: u64,
    /// From there to the dispatch.
    pub queue_ns: u64,
    /// From the dispatch to the start.
    pub head_ns: u64,
    /// Not known which of them.
    pub unknown_ns: u64,
    /// From the end of the last step to the end of the makespan.
    pub tail_ns: u64,
    /// The longest chain of run times over the edges: no schedule of these tasks is shorter.
    pub floor_ns: u64,
    /// Tasks that depend on themselves; of such a circle one edge at least cannot be kept.
    pub in_circles: u64,
    /// Edges whose producer ended after their consumer had started.
    pub backward_edges: u64,
    /// Edges that name a task without a row.
    pub dangling_edges: u64,
    /// Its steps by function, most time first.
    pub functions: Vec<PathFunction>,
    /// Its steps, first to last.
    pub steps: Vec<PathStepReport>,
}

/// The steps of one function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PathFunction {
    /// The function.
    pub func_id: u32,
    /// Its name, or `func_<id>`.
    pub name: String,
    /// Its steps.
    pub steps: u64,
    /// Their run time.
    pub run_ns: u64,
    /// Their waits.
    pub wait_ns: u64,
}

/// One step of the path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PathStepReport {
    /// The task.
    pub task_id: u64,
    /// The function it ran.
    pub func_id: u32,
    /// The core, as an index.
    pub core: u32,
    /// Its start, from the begin of the makespan.
    pub start_ns: u64,
    /// Its run time.
    pub run_ns: u64,
    /// Until the end of the step before it was seen.
    pub notice_ns: u64,
    /// From there to the dispatch.
    pub queue_ns: u64,
    /// From the dispatch to the start.
    pub head_ns: u64,
    /// Not known which of them.
    pub unknown_ns: u64,
}

impl PathStepReport {
    /// The whole wait before the step.
    #[must_use]
    pub const fn wait_ns(&self) -> u64 {
        self.notice_ns + self.queue_ns + self.head_ns + self.unknown_ns
    }
}

/// One of the longest run times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SlowTask {
    /// The task.
    pub task_id: u64,
    /// The function it ran.
    pub func_id: u32,
    /// The core, as an index.
    pub core: u32,
    /// Its start, from the begin of the makespan.
    pub start_ns: u64,
    /// Its run time.
    pub run_ns: u64,
}

/// One of the longest stretches in which a core had nothing in hand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GapReport {
    /// The core, as an index.
    pub core: u32,
    /// Its begin, from the begin of the makespan.
    pub from_ns: u64,
    /// How long it is.
    pub length_ns: u64,
    /// The task before it.
    pub after_task: u64,
    /// The task behind it.
    pub before_task: u64,
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
    /// What the cores did, together: adds up to makespan times cores.
    pub parts: PartsReport,
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
    /// What it did; adds up to the makespan.
    pub parts: PartsReport,
}

/// What one AICPU thread did between its first and its last phase.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SchedulerReport {
    /// The thread.
    pub thread: u32,
    /// `2`, in a merged trace `node1/0 2`.
    pub name: String,
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
    /// Phases with a time that is not known, or that runs backwards; they are in no time.
    pub unknown_phases: u64,
    /// A round of its loop, on average.
    pub loop_ns: Option<f64>,
    /// Its own time in `complete` and `dispatch` for each task it saw finished.
    pub per_task_ns: Option<f64>,
    /// Of the span: in no phase.
    pub untracked_ns: u64,
    /// That, for each round of the loop.
    pub untracked_per_loop_ns: Option<f64>,
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
    /// Their time without what lies in another phase: these and the untracked time add up to the span.
    pub own_ns: u64,
    /// That, for each round of the loop.
    pub per_loop_ns: Option<f64>,
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

    /// One page that needs no network and no script.
    #[must_use]
    pub fn html(&self) -> String {
        crate::html::html(self)
    }

    /// The name of a core; `-` when there is no such core.
    #[must_use]
    pub fn core_name(&self, core: u32) -> &str {
        let core = self.cores.get(core as usize);
        core.map_or("-", |core| core.name.as_str())
    }

    /// What a task is called: `QK(t7)`.
    #[must_use]
    pub fn task_name(&self, func_id: u32, task_id: u64) -> String {
        let mut functions = self.functions.iter();
        let function = functions.find(|function| function.func_id == func_id);
        let name = function.map_or("?", |function| function.name.as_str());
        format!("{name}({})", lanescope_trace::task_label(task_id))
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
