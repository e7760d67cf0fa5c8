//! Chrome trace JSON, compact: for viewers and scripts that read nothing else.
//!
//! # Tracks
//!
//! Process 1 has a thread for each core, with the kernels from start to end; process 2 the same cores as
//! the AICPU sees them, from dispatch to finish; process 3 the phases of each AICPU thread, process 4 those
//! of the orchestrator; a wait for the host is a slice inside the phase it lies in. Slices that overlap go to
//! further threads: lane *n* of core *c* is thread `10000 n + c`. Edges are flows between kernels, hardware counters are counter events of process 1, each
//! saying beside its values which task it is of. Lost records are instants where tokens and sequence numbers jump,
//! and behind the last task or phase; lost counters and tensors stand at the end of their core, and the verdict's
//! totals of each kind in `otherData`.
//!
//! # Times
//!
//! Microseconds since the first known time of the run, in decimal and exact ([`Microseconds`]); the tick
//! they count from and the counter's rate are in `otherData`, so no tick is lost and an import gives the
//! same tasks, edges, counters and phases. A slice is told by its begin and its end: readers that add a duration to
//! a time, each rounded, take slices that touch for slices that overlap, and drop them.
//!
//! # What can be lost
//!
//! A task of which neither start nor end is known has no event; counters without a time or of an event type
//! that the chip does not have, and phases without a time, have none either, nor have stays and phases of which
//! more than 64 overlap. They are counted in [`Written`] and in `undrawn`.
//!
//! # Errors
//!
//! [`ExportError::Write`].

mod counters;
mod losses;
mod other_data;
mod phases;

use crate::ExportError;
use crate::flows::Flows;
use crate::losses::Losses;
use crate::text::{Microseconds, Text};
use lanescope_trace::{Task, Trace};
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
    /// Tasks drawn as an instant: only one of start and end is known, the two are reversed, or too many overlap.
    pub instants: u64,
    /// Tasks without an event.
    pub undrawn_tasks: u64,
    /// Rows of counters without an event.
    pub undrawn_counters: u64,
    /// Tasks whose stay, dispatch to finish, has no event because too many overlap.
    pub undrawn_stays: u64,
    /// Phases without an event: a time is not known, the two are reversed, or too many overlap.
    pub undrawn_phases: u64,
    /// Task records that are missing.
    pub lost_records: u64,
    /// Phase records that are missing.
    pub lost_phases: u64,
    /// Counters and tensors that the verdict says are missing.
    pub lost_others: u64,
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
/// More slices at once than this are not slices any more.
const MOST_LANES: usize = 64;
/// The largest integer that every reader of JSON keeps.
const LAST_SAFE_INTEGER: u64 = 1 << 53;

struct Writer<'a, W> {
    trace: &'a Trace,
    text: Text<W>,
    clock: Microseconds,
    origin_ticks: u64,
    /// By process, then by core or AICPU thread.
    lanes: [Vec<Lanes>; PROCESSES.len()],
    losses: Losses<'a>,
    written: Written,
    is_first: bool,
    name: String,
}

/// When the slices on each lane of a core or a thread end.
#[derive(Clone, Debug, Default)]
struct Lanes {
    ends_ticks: Vec<u64>,
}

impl Lanes {
    /// The lane for a slice, and whether it is new; `None` when there are too many.
    fn place(&mut self, start: u64, end: u64) -> Option<(usize, bool)> {
        let free = self.ends_ticks.iter().position(|&ends| ends <= start);
        match free {
            Some(lane) => {
                self.ends_ticks[lane] = end;
                Some((lane, false))
            }
            None if self.ends_ticks.len() == MOST_LANES => None,
            None => {
                self.ends_ticks.push(end);
                Some((self.ends_ticks.len() - 1, true))
            }
        }
    }
}

impl<'a, W: Write> Writer<'a, W> {
    fn new(trace: &'a Trace, out: W) -> Self {
        let session = trace.session();
        let of_cores = vec![Lanes::default(); session.cores.len()];
        let of_threads = vec![Lanes::default(); trace.threads().len()];
        Self {
            trace,
            text: Text::new(out),
            clock: Microseconds::of(session.ticks_per_second),
            origin_ticks: trace.bounds_ticks().map_or(0, |(first, _)| first),
            lanes: [of_cores.clone(), of_cores, of_threads.clone(), of_threads],
            losses: Losses::of(trace),
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
            self.loss_before(&task);
            self.kernel(row, &task, flows);
            self.stay(&task);
            self.text.pass_on()?;
        }
        for row in trace.pmu_rows() {
            self.counters(&row);
            self.text.pass_on()?;
        }
        self.phases()?;
        self.losses_of_cores()?;
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

    /// A slice begins; its arguments come next.
    fn begin(&mut self, pid: u64, tid: u64, name: &str, ticks: u64) {
        self.event("B", pid, tid);
        self.name(name);
        self.at(ticks);
    }

    /// The slice that began last on the thread ends.
    fn end(&mut self, pid: u64, tid: u64, ticks: u64) {
        self.event("E", pid, tid);
        self.at(ticks);
        self.text.raw("}");
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

    /// The thread of a slice of a core or an AICPU thread; named when it is new, `None` when too many overlap.
    fn lane(&mut self, pid: u64, owner: usize, (start, end): (u64, u64)) -> Option<u64> {
        let (lane, is_new) = self.lanes(pid, owner).place(start, end)?;
        let tid = lane as u64 * LANE_STEP + owner as u64;
        if is_new {
            let name = self.lane_name(pid, owner, lane);
            self.describe("thread_name", pid, Some(tid), &name);
        }
        Some(tid)
    }

    fn lanes(&mut self, pid: u64, owner: usize) -> &mut Lanes {
        let [kernels, stays, schedulers, orchestrators] = &mut self.lanes;
        let process = match pid {
            KERNELS => kernels,
            STAYS => stays,
            SCHEDULERS => schedulers,
            _ => orchestrators,
        };
        &mut process[owner]
    }

    fn lane_name(&self, pid: u64, owner: usize, lane: usize) -> String {
        match pid {
            // An import takes the number behind the name for that of the AICPU thread.
            SCHEDULERS => format!("scheduler {owner}"),
            ORCHESTRATORS => format!("orchestrator {owner}"),
            _ if lane == 0 => self.trace.session().core_name(owner),
            _ => format!("{} ({})", self.trace.session().core_name(owner), lane + 1),
        }
    }

    /// The first thread of a core or an AICPU thread; named when it is new.
    fn first_lane(&mut self, pid: u64, owner: usize, at: u64) -> u64 {
        if self.lanes(pid, owner).ends_ticks.is_empty() {
            self.lane(pid, owner, (at, at));
        }
        owner as u64
    }

    fn kernel(&mut self, row: u64, task: &Task, flows: &Flows<'_>) {
        let functions = self.trace.functions();
        let (start, end) = (task.start_ticks, task.end_ticks);
        let lane = match task.run_ticks() {
            Some(_) => self.lane(KERNELS, usize::from(task.core), (start, end)),
            None => None,
        };
        let Some(tid) = lane else {
            return self.point(row, task, flows);
        };
        self.begin(KERNELS, tid, &functions.label(task.func_id), start);
        self.arguments(task);
        self.written.slices += 1;
        // Inside the slice, where viewers look for the one a flow belongs to.
        let last = end.saturating_sub(1).max(start);
        self.flows(flows, (row, task.task_id), tid, (start, last));
        self.end(KERNELS, tid, end);
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

    /// Half known, reversed, or too many at once: a point instead of a slice.
    fn point(&mut self, row: u64, task: &Task, flows: &Flows<'_>) {
        let known = [task.start_ticks, task.end_ticks];
        let Some(at) = known.into_iter().find(|&ticks| ticks != 0) else {
            self.written.undrawn_tasks += 1;
            return;
        };
        let lane = self.lane(KERNELS, usize::from(task.core), (at, at));
        let tid = lane.unwrap_or(u64::from(task.core));
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
        if task.latency_ticks().is_none() {
            return;
        }
        let (dispatch, finish) = (task.dispatch_ticks, task.finish_ticks);
        let Some(tid) = self.lane(STAYS, usize::from(task.core), (dispatch, finish)) else {
            self.written.undrawn_stays += 1;
            return;
        };
        let name = self.trace.functions().label(task.func_id);
        self.begin(STAYS, tid, &name, dispatch);
        self.text.raw(",\"args\":{");
        self.argument("task_id", task.task_id, true);
        self.text.raw("}}");
        self.end(STAYS, tid, finish);
    }
}
