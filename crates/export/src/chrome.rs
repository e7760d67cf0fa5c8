//! Chrome trace JSON, compact: for viewers and scripts that read nothing else.
//!
//! # Tracks
//!
//! Process 1 has a thread for each core, with the kernels from start to end; process 2 the same cores as
//! the AICPU sees them, from dispatch to finish; process 3 the phases of each AICPU thread, process 4 those
//! of the orchestrator. Slices that overlap go to further threads: lane *n* of core *c* is thread
//! `10000 n + c`. Edges are flows between kernels, hardware counters are counter events of process 1, each
//! saying beside its values which task it is of; lost records are instants.
//!
//! # Times
//!
//! Microseconds since the first known time of the run, in decimal and exact ([`Microseconds`]); the tick
//! they count from and the counter's rate are in `otherData`, so no tick is lost and an import gives the
//! same tasks, edges, counters and phases.
//!
//! # What can be lost
//!
//! A task of which neither start nor end is known has no event, counters without a time or of an event type
//! that the chip does not have neither; they are counted in [`Written`] and in `undrawn`. Where the verdict knows of losses behind the last task of a core, only the verdict
//! in `otherData` says so.
//!
//! # Errors
//!
//! [`ExportError::Write`].

mod counters;
mod other_data;
mod phases;

use crate::ExportError;
use crate::flows::Flows;
use crate::text::{Microseconds, Text};
use lanescope_trace::{Task, Trace, lost_before, lost_between};
use std::fmt::Write as _;
use std::io::{self, Write};

/// The name the file has in an output folder.
pub const FILE_NAME: &str = "trace.chrome.json";

/// What was written, and what was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Bytes of the file.
    pub bytes: u64,
    /// Slices of kernels.
    pub slices: u64,
    /// Edges drawn.
    pub flows: u64,
    /// Edges not drawn because one of their tasks has no event.
    pub undrawn_flows: u64,
    /// Tasks drawn as an instant: only one of start and end is known, or the two are reversed.
    pub instants: u64,
    /// Tasks without an event.
    pub undrawn_tasks: u64,
    /// Rows of counters without an event.
    pub undrawn_counters: u64,
    /// Task records that the tokens prove to be missing.
    pub lost_records: u64,
}

/// Writes the trace.
///
/// # Errors
///
/// As in the module's text.
pub fn write(trace: &Trace, out: impl Write) -> Result<Written, ExportError> {
    let flows = Flows::of(trace)?;
    Writer::new(trace, out)
        .write(&flows)
        .map_err(|source| ExportError::Write {
            format: "chrome",
            source,
        })
}

const KERNELS: u64 = 1;
const STAYS: u64 = 2;
const SCHEDULERS: u64 = 3;
const ORCHESTRATORS: u64 = 4;
const PROCESSES: [(u64, &str); 4] = [
    (KERNELS, "AICore"),
    (STAYS, "AICPU view"),
    (SCHEDULERS, "AICPU scheduler"),
    (ORCHESTRATORS, "AICPU orchestrator"),
];
/// A thread's number is that of its core and this for each lane.
const LANE_STEP: u64 = 10_000;
/// Slices that overlap more often share the last lane.
const MOST_LANES: usize = 64;
/// The largest integer that every reader of JSON keeps.
const LAST_SAFE_INTEGER: u64 = 1 << 53;

struct Writer<'a, W> {
    trace: &'a Trace,
    text: Text<W>,
    clock: Microseconds,
    origin_ticks: u64,
    kernels: Vec<Lanes>,
    stays: Vec<Lanes>,
    latest: Vec<Option<Task>>,
    written: Written,
    is_first: bool,
    name: String,
}

/// When the slices on each lane of a core end.
#[derive(Clone, Debug, Default)]
struct Lanes {
    ends_ticks: Vec<u64>,
}

impl Lanes {
    /// The lane for a slice, and whether it is new.
    fn place(&mut self, start: u64, end: u64) -> (usize, bool) {
        let free = self.ends_ticks.iter().position(|&ends| ends <= start);
        match free {
            Some(lane) => {
                self.ends_ticks[lane] = end;
                (lane, false)
            }
            None if self.ends_ticks.len() == MOST_LANES => (MOST_LANES - 1, false),
            None => {
                self.ends_ticks.push(end);
                (self.ends_ticks.len() - 1, true)
            }
        }
    }
}

impl<'a, W: Write> Writer<'a, W> {
    fn new(trace: &'a Trace, out: W) -> Self {
        let session = trace.session();
        let cores = session.cores.len();
        Self {
            trace,
            text: Text::new(out),
            clock: Microseconds::of(session.ticks_per_second),
            origin_ticks: trace.bounds_ticks().map_or(0, |(first, _)| first),
            kernels: vec![Lanes::default(); cores],
            stays: vec![Lanes::default(); cores],
            latest: vec![None; cores],
            written: Written::default(),
            is_first: true,
            name: String::new(),
        }
    }

    fn write(mut self, flows: &Flows<'_>) -> io::Result<Written> {
        self.text.raw("{\"displayTimeUnit\":\"ns\",");
        self.other_data();
        self.text.raw(",\"traceEvents\":[\n");
        for (pid, name) in PROCESSES {
            self.describe("process_name", pid, None, name);
        }
        let trace = self.trace;
        self.written.flows = flows.drawn();
        self.written.undrawn_flows = flows.undrawn();
        for (row, task) in (0..).zip(trace.tasks()) {
            self.loss(&task);
            self.kernel(row, &task, flows);
            self.stay(&task);
            self.text.pass_on()?;
        }
        for row in trace.pmu_rows() {
            self.counters(&row);
            self.text.pass_on()?;
        }
        self.phases()?;
        self.undrawn();
        self.written.bytes = self.text.finish()?;
        Ok(self.written)
    }

    fn event(&mut self, phase: &str, pid: u64, tid: u64) {
        let text = &mut self.text;
        text.raw(match self.is_first {
            true => "{\"ph\":\"",
            false => ",\n{\"ph\":\"",
        });
        self.is_first = false;
        text.raw(phase);
        text.raw("\",\"pid\":");
        text.uint(pid);
        text.raw(",\"tid\":");
        text.uint(tid);
    }

    fn describe(&mut self, what: &str, pid: u64, tid: Option<u64>, name: &str) {
        self.event("M", pid, tid.unwrap_or(0));
        self.text.raw(",\"name\":\"");
        self.text.raw(what);
        self.text.raw("\",\"args\":{\"name\":");
        self.text.json_string(name);
        self.text.raw("}}");
    }

    fn name(&mut self, name: &str) {
        self.text.raw(",\"name\":");
        self.text.json_string(name);
    }

    fn at(&mut self, ticks: u64) {
        self.text.raw(",\"ts\":");
        self.text
            .microseconds(&self.clock, ticks.saturating_sub(self.origin_ticks));
    }

    fn lasting(&mut self, ticks: u64) {
        self.text.raw(",\"dur\":");
        self.text.microseconds(&self.clock, ticks);
    }

    /// A number as an argument: as text where readers would round it.
    fn argument(&mut self, key: &str, value: u64, is_first: bool) {
        self.text.raw(if is_first { "\"" } else { ",\"" });
        self.text.raw(key);
        self.text.raw("\":");
        if value > LAST_SAFE_INTEGER {
            self.text.raw("\"");
            self.text.uint(value);
            self.text.raw("\"");
        } else {
            self.text.uint(value);
        }
    }

    fn wait(&mut self, key: &str, ticks: Option<u64>) {
        if let Some(ticks) = ticks {
            self.text.raw(",\"");
            self.text.raw(key);
            self.text.raw("\":");
            self.text.microseconds(&self.clock, ticks);
        }
    }

    /// The thread of a slice on a core; named when it is new.
    fn lane(&mut self, pid: u64, core: u16, start: u64, end: u64) -> u64 {
        let lanes = match pid {
            KERNELS => &mut self.kernels,
            _ => &mut self.stays,
        };
        let (lane, is_new) = lanes[usize::from(core)].place(start, end);
        let tid = lane as u64 * LANE_STEP + u64::from(core);
        if is_new {
            let mut name = self.trace.session().core_name(usize::from(core));
            if lane > 0 {
                let _ = write!(name, " ({})", lane + 1);
            }
            self.describe("thread_name", pid, Some(tid), &name);
        }
        tid
    }

    fn kernel(&mut self, row: u64, task: &Task, flows: &Flows<'_>) {
        let functions = self.trace.functions();
        let Some(run) = task.run_ticks() else {
            return self.point(row, task, flows);
        };
        let tid = self.lane(KERNELS, task.core, task.start_ticks, task.end_ticks);
        self.event("X", KERNELS, tid);
        self.name(&functions.label(task.func_id));
        self.at(task.start_ticks);
        self.lasting(run);
        self.arguments(task);
        self.written.slices += 1;
        // Inside the slice, where viewers look for the one a flow belongs to.
        let last = task.end_ticks.saturating_sub(1).max(task.start_ticks);
        self.flows(flows, (row, task.task_id), tid, (task.start_ticks, last));
    }

    fn flows(&mut self, flows: &Flows<'_>, row: (u64, u64), tid: u64, (first, last): (u64, u64)) {
        let row_flows = flows.of_row(row.0, row.1);
        for edge in row_flows.begins() {
            self.flow("s", edge, tid, last);
        }
        for edge in row_flows.ends() {
            self.flow("f", edge, tid, first);
        }
    }

    fn arguments(&mut self, task: &Task) {
        self.identity(task);
        let waits = (task.head_wait_ticks(), task.receive_wait_ticks());
        self.wait("head_wait_us", waits.0);
        self.wait("receive_wait_us", waits.1);
        self.wait("tail_wait_us", task.tail_wait_ticks());
        // What no wait tells, since there is none or it is below 0.
        if waits.0.is_none() {
            self.known("dispatch_us", task.dispatch_ticks);
        }
        if waits.0.and(waits.1).is_none() {
            self.known("receive_us", task.receive_ticks);
        }
        if task.tail_wait_ticks().is_none() {
            self.known("finish_us", task.finish_ticks);
        }
        self.text.raw("}}");
    }

    fn identity(&mut self, task: &Task) {
        self.text.raw(",\"args\":{");
        self.argument("task_id", task.task_id, true);
        self.argument("func_id", u64::from(task.func_id), false);
        if task.token != 0 {
            self.argument("token", u64::from(task.token), false);
        }
    }

    /// A time as an argument, if it is known.
    fn known(&mut self, key: &str, ticks: u64) {
        self.wait(
            key,
            (ticks != 0).then(|| ticks.saturating_sub(self.origin_ticks)),
        );
    }

    fn flow(&mut self, phase: &str, edge: u64, tid: u64, ticks: u64) {
        self.event(phase, KERNELS, tid);
        self.text.raw(",\"cat\":\"edge\",\"name\":\"edge\",\"id\":");
        self.text.uint(edge);
        self.at(ticks);
        self.text.raw(match phase {
            "f" => ",\"bp\":\"e\"}",
            _ => "}",
        });
    }

    /// Half known or reversed: a point instead of a slice.
    fn point(&mut self, row: u64, task: &Task, flows: &Flows<'_>) {
        let known = [task.start_ticks, task.end_ticks];
        let Some(at) = known.into_iter().find(|&ticks| ticks != 0) else {
            self.written.undrawn_tasks += 1;
            return;
        };
        let tid = self.lane(KERNELS, task.core, at, at);
        self.event("i", KERNELS, tid);
        self.name(&self.trace.functions().label(task.func_id));
        self.at(at);
        self.text.raw(",\"s\":\"t\"");
        self.identity(task);
        self.known("dispatch_us", task.dispatch_ticks);
        self.known("receive_us", task.receive_ticks);
        self.known("start_us", task.start_ticks);
        self.known("end_us", task.end_ticks);
        self.known("finish_us", task.finish_ticks);
        self.text.raw("}}");
        self.written.instants += 1;
        self.flows(flows, (row, task.task_id), tid, (at, at));
    }

    fn stay(&mut self, task: &Task) {
        let Some(latency) = task.latency_ticks() else {
            return;
        };
        let tid = self.lane(STAYS, task.core, task.dispatch_ticks, task.finish_ticks);
        self.event("X", STAYS, tid);
        self.name(&self.trace.functions().label(task.func_id));
        self.at(task.dispatch_ticks);
        self.lasting(latency);
        self.text.raw(",\"args\":{");
        self.argument("task_id", task.task_id, true);
        self.text.raw("}}");
    }

    /// Compares the task's token with the one before it on its core.
    fn loss(&mut self, task: &Task) {
        let core = usize::from(task.core);
        let first_token = self.trace.session().cores[core].first_token;
        let lost = match &self.latest[core] {
            Some(latest) => lost_between(latest, task),
            None => first_token.map_or(0, |first| lost_before(first, task)),
        };
        self.latest[core] = Some(*task);
        let Some(at) = task.first_ticks().filter(|_| lost > 0) else {
            return;
        };
        self.written.lost_records += u64::from(lost);
        let tid = self.lane(KERNELS, task.core, at, at);
        self.event("i", KERNELS, tid);
        self.name(&format!("{lost} records lost before this task"));
        self.at(at);
        self.text.raw(",\"s\":\"t\"}");
    }
}
