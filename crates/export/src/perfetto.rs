//! Perfetto protobuf traces, for <https://ui.perfetto.dev> and `trace_processor`.
//!
//! # Tracks
//!
//! Process `AICore` has a thread for each core; its slices are the kernels, start to end. Each AICPU
//! thread is a process: a thread for every core it owns, with slices from dispatch to finish, and one
//! for its scheduler's and its orchestrator's phases where the trace has them; a wait for the host is a
//! slice inside the phase it lies in. Where the trace has the orchestrator's totals and no phases of it,
//! they are one slice. Hardware counters are counter tracks below their core: what a
//! task counted over its cycles, from its start to its end (where the swimlane is off: from when it was
//! committed). Slices that overlap go to further tracks below the first. Dependency edges are flows between kernels, one flow id per
//! edge; a task with several rows is met at the row that starts first and left at the one that ends
//! last. Lost records are instants where the core's tokens jump, and where a thread's phases do; lost
//! counters and tensors stand at the end of their core. The run's facts and its verdict are the
//! arguments of an instant on the track `run`.
//!
//! # Ordering
//!
//! Every track is a packet sequence of its own with interned names, a clock in ticks that counts from
//! packet to packet, and the track as default, which is what makes an event small. The tasks of a
//! core come in order of start, so nothing is sorted and nothing is kept per task; of the edges a window is
//! in memory. Every 16 MiB tracks, names and clocks are told again, so that the rest of a cut file opens.
//!
//! # What can be lost
//!
//! A task of which neither start nor end is known has no event, nor has a stay or a phase when 32 of its kind
//! are open. They are counted in [`Written`] and in the instant on `run`.
//!
//! # Errors
//!
//! [`ExportError::Write`], and [`ExportError::TimeOutOfRange`] for ticks that Perfetto's signed
//! nanoseconds cannot hold; then nothing has been written.

mod counters;
mod event;
mod flow_fields;
mod losses;
mod phases;
mod sequence;
mod tracks;
mod wire;

use crate::ExportError;
use crate::flows::{Flows, RowFlows};
use crate::losses::Losses;
use counters::{Counters, Target};
use event::Annotations;

use lanescope_trace::{Task, Trace};
use sequence::{Clock, Names};
use std::io::Write;
use tracks::Tracks;
use wire::Wire;

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The arguments of a kernel's slice.
    pub arguments: Arguments,
    /// Whether the AICPU's view, dispatch to finish, gets tracks.
    pub aicpu_tracks: bool,
    /// Whether edges are drawn as flows.
    pub flows: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            arguments: Arguments::All,
            aicpu_tracks: true,
            flows: true,
        }
    }
}

/// The arguments of a kernel's slice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arguments {
    /// Task id, head wait, tail wait.
    Three,
    /// Task id, token, function id, head wait, the part of it before the core saw the task, tail
    /// wait.
    #[default]
    All,
}

/// What was written, and what was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Bytes of the file.
    pub bytes: u64,
    /// Slices on the tracks of the cores.
    pub slices: u64,
    /// Edges drawn.
    pub flows: u64,
    /// Edges not drawn because one of their tasks has no event.
    pub undrawn_flows: u64,
    /// Tasks without an event: neither start nor end is known.
    pub undrawn_tasks: u64,
    /// Tasks drawn as an instant: only one of start and end is known, or the two are reversed.
    pub instants: u64,
    /// Tasks that overlap an earlier one of their core.
    pub overlapping_tasks: u64,
    /// Task records that the tokens prove to be missing.
    pub lost_records: u64,
    /// Phase records that are missing.
    pub lost_phases: u64,
    /// Counters and tensors that the verdict says are missing.
    pub lost_others: u64,
    /// Rows of hardware counters that are on no track.
    pub undrawn_counters: u64,
    /// Tasks whose stay, dispatch to finish, is on no track because too many overlap.
    pub undrawn_stays: u64,
    /// Phases on no track: a time is not known, the two are reversed, or too many overlap.
    pub undrawn_phases: u64,
}

/// Writes the trace.
///
/// # Errors
///
/// As in the module's text.
pub fn write(trace: &Trace, options: &Options, out: impl Write) -> Result<Written, ExportError> {
    write_with(trace, options, out, |_| {})
}

/// Writes the trace and now and then says how many tasks are done.
///
/// # Errors
///
/// As in the module's text.
pub fn write_with(
    trace: &Trace,
    options: &Options,
    out: impl Write,
    mut progress: impl FnMut(u64),
) -> Result<Written, ExportError> {
    let mut writer = Writer::new(trace, options, out)?;
    writer.describe_tracks();
    for (row, task) in (0..).zip(trace.tasks()) {
        writer.task(row, &task);
        if writer.pass_on()? {
            progress(row);
        }
    }
    writer.counters()?;
    writer.phases()?;
    writer.orchestrator_totals();
    writer.losses_of_cores();
    writer.run();
    writer.flush()?;
    progress(trace.task_count());
    Ok(writer.written)
}

/// The buffer is handed on when it holds this much.
const FLUSH_BYTES: usize = 256 << 10;
/// After so many bytes everything is told again that later packets rest on.
const RESTART_BYTES: u64 = 16 << 20;

/// One export under way.
struct Writer<'a, W> {
    trace: &'a Trace,
    options: &'a Options,
    clock: Clock,
    names: Names,
    flows: Flows<'a>,
    tracks: Tracks,
    losses: Losses<'a>,
    counters: Counters<'a>,
    wire: Wire,
    out: W,
    written: Written,
    restarted_at: u64,
}

impl<'a, W: Write> Writer<'a, W> {
    fn new(trace: &'a Trace, options: &'a Options, out: W) -> Result<Self, ExportError> {
        let session = trace.session();
        let clock = Clock::of(session.ticks_per_second, trace.bounds_ticks())?;
        let flows = match options.flows {
            true => Flows::of(trace)?,
            false => Flows::none(trace),
        };
        Ok(Self {
            trace,
            options,
            clock,
            names: Names::default(),
            tracks: Tracks::of(trace),
            losses: Losses::of(trace),
            counters: Counters::of(trace),
            wire: Wire::default(),
            out,
            restarted_at: 0,
            written: Written {
                flows: flows.drawn(),
                undrawn_flows: flows.undrawn(),
                ..Written::default()
            },
            flows,
        })
    }

    fn describe_tracks(&mut self) {
        let Self { wire, tracks, .. } = self;
        tracks.describe(wire, self.trace.session(), self.options.aicpu_tracks);
    }

    /// One row: its kernel, its stay as the AICPU saw it, and the loss before it.
    fn task(&mut self, row: u64, task: &Task) {
        self.loss_before(task);
        let name = self.names.function(task.func_id, self.trace.functions());
        self.kernel(row, task, name);
        if self.options.aicpu_tracks {
            self.stay(task, name);
        }
        if !self.counters.is_empty() {
            let mut target = Target {
                wire: &mut self.wire,
                tracks: &mut self.tracks,
                clock: &self.clock,
            };
            self.counters.task(task, self.trace.session(), &mut target);
        }
    }

    /// The counters that no task was found for.
    fn counters(&mut self) -> Result<(), ExportError> {
        loop {
            let mut target = Target {
                wire: &mut self.wire,
                tracks: &mut self.tracks,
                clock: &self.clock,
            };
            if !self.counters.next_of_rest(&mut target) {
                self.written.undrawn_counters = self.counters.undrawn;
                return Ok(());
            }
            self.pass_on()?;
        }
    }

    fn kernel(&mut self, row: u64, task: &Task, name: u32) {
        let arguments = Annotations::of_task(task, self.options.arguments, &self.clock);
        let flows = self.flows.of_row(row, task.task_id);
        let (start, end) = (task.start_ticks, task.end_ticks);
        let lanes = &mut self.tracks.kernels[usize::from(task.core)];
        if task.run_ticks().is_some() {
            let (start, end) = (self.clock.at(start), self.clock.at(end));
            let lane = lanes.free_at(start);
            self.written.overlapping_tasks += u64::from(lane > 0);
            if let Some(lane) = lanes.lane(lane, &mut self.wire, &mut self.tracks.ids, &self.clock)
            {
                lane.begin(&mut self.wire, start, name, &self.names, &arguments, &flows);
                lane.end(&mut self.wire, end);
                self.written.slices += 1;
                return;
            }
        }
        // Half known, reversed, or too many at once: a point instead of a slice.
        let Some(at) = [start, end].into_iter().find(|&ticks| ticks != 0) else {
            self.written.undrawn_tasks += 1;
            return;
        };
        self.written.instants += 1;
        let label = self.trace.functions().label(task.func_id);
        let at_ns = self.clock.nanoseconds(at);
        event::instant(&mut self.wire, at_ns, lanes.track(), &label, |wire| {
            arguments.spelled_out(wire);
            flow_fields::write(&flows, wire);
        });
    }

    fn stay(&mut self, task: &Task, name: u32) {
        if task.latency_ticks().is_none() {
            return;
        }
        let dispatch = self.clock.at(task.dispatch_ticks);
        let finish = self.clock.at(task.finish_ticks);
        let lanes = &mut self.tracks.stays[usize::from(task.core)];
        let lane = lanes.free_at(dispatch);
        if let Some(lane) = lanes.lane(lane, &mut self.wire, &mut self.tracks.ids, &self.clock) {
            let arguments = Annotations::of_stay(task);
            let none = RowFlows::none();
            lane.begin(
                &mut self.wire,
                dispatch,
                name,
                &self.names,
                &arguments,
                &none,
            );
            lane.end(&mut self.wire, finish);
        } else {
            self.written.undrawn_stays += 1;
        }
    }

    /// Hands the buffer on when it is full, between two whole slices; whether it was.
    fn pass_on(&mut self) -> Result<bool, ExportError> {
        if self.wire.len() < FLUSH_BYTES {
            return Ok(false);
        }
        self.flush()?;
        self.restart_when_due();
        Ok(true)
    }

    fn restart_when_due(&mut self) {
        if self.written.bytes - self.restarted_at < RESTART_BYTES {
            return;
        }
        self.restarted_at = self.written.bytes;
        self.tracks.restart(&mut self.wire, &self.clock);
        self.counters.restart(&mut self.wire, &self.clock);
    }

    /// The run's facts and its verdict.
    fn run(&mut self) {
        let at_ns = self
            .clock
            .origin()
            .map_or(0, |at| self.clock.nanoseconds(at));
        let name = match self.trace.verdict() {
            Some(verdict) => format!("verdict: {}", verdict.outcome.name()),
            None => "no verdict".to_owned(),
        };
        let (trace, written) = (self.trace, self.written);
        event::instant(&mut self.wire, at_ns, self.tracks.run, &name, |wire| {
            event::annotate_run(wire, trace, &written);
        });
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        let bytes = self.wire.bytes();
        self.out
            .write_all(bytes)
            .map_err(|source| ExportError::Write {
                format: "perfetto",
                source,
            })?;
        self.written.bytes += bytes.len() as u64;
        self.wire.clear();
        Ok(())
    }
}
