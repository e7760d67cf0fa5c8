//! What events say besides their time: arguments, and the rare events that are spelled out in full.

use super::sequence::Clock;
use super::wire::{Short, Wire, length_key, varint_bytes, varint_key};
use super::{Arguments, Written};
use lanescope_trace::{Orchestrator, OrchestratorPhase, SchedulerPhase, Task, Trace};

/// `TracePacket.track_event`.
pub(super) const TRACK_EVENT: u32 = 11;
/// `TrackEvent.type`.
const SLICE_BEGIN: u64 = 1;
const SLICE_END: u64 = 2;
const INSTANT: u64 = 3;
/// The sequence of events that are spelled out: absolute times, nothing interned.
pub(super) const PLAIN_SEQUENCE: u64 = 1;

/// Names of arguments; the number of a name is its place, from 1.
pub(super) const ARGUMENT_NAMES: [&str; 12] = [
    "task_id",
    "token",
    "func_id",
    "head_wait_ns",
    "receive_wait_ns",
    "tail_wait_ns",
    "loop_iter",
    "tasks_processed",
    "pop_hit",
    "pop_miss",
    "submit_index",
    "rounds",
];

const TASK_ID: u8 = 1;
const TOKEN: u8 = 2;
const FUNC_ID: u8 = 3;
const HEAD_WAIT: u8 = 4;
const RECEIVE_WAIT: u8 = 5;
const TAIL_WAIT: u8 = 6;
const LOOP_ITER: u8 = 7;
const TASKS_PROCESSED: u8 = 8;
const POP_HIT: u8 = 9;
const POP_MISS: u8 = 10;
const SUBMIT_INDEX: u8 = 11;
const ROUNDS: u8 = 12;

/// The fields of a track event: six arguments, a type and a name, each as long as it can be, take 98 bytes.
pub(super) type EventFields = Short<128>;

/// The arguments of one event, by the numbers of their names.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Annotations {
    values: [(u8, u64); 6],
    count: usize,
}

impl Annotations {
    #[inline]
    pub(super) fn of_task(task: &Task, arguments: Arguments, clock: &Clock) -> Self {
        let mut list = Self::default();
        list.add(TASK_ID, task.task_id);
        if arguments == Arguments::All {
            if task.token != 0 {
                list.add(TOKEN, u64::from(task.token));
            }
            list.add(FUNC_ID, u64::from(task.func_id));
        }
        list.add_wait(HEAD_WAIT, task.head_wait_ticks(), clock);
        if arguments == Arguments::All {
            list.add_wait(RECEIVE_WAIT, task.receive_wait_ticks(), clock);
        }
        list.add_wait(TAIL_WAIT, task.tail_wait_ticks(), clock);
        list
    }

    #[inline]
    pub(super) fn of_stay(task: &Task) -> Self {
        let mut list = Self::default();
        list.add(TASK_ID, task.task_id);
        list
    }

    pub(super) fn of_scheduler(phase: &SchedulerPhase) -> Self {
        let mut list = Self::default();
        list.add(LOOP_ITER, phase.loop_iter);
        list.add(TASKS_PROCESSED, phase.tasks_processed);
        if phase.rounds > 1 {
            list.add(ROUNDS, phase.rounds);
        }
        if let Some((hits, misses)) = phase.pops {
            list.add(POP_HIT, hits);
            list.add(POP_MISS, misses);
        }
        list
    }

    pub(super) fn of_orchestrator(phase: &OrchestratorPhase) -> Self {
        let mut list = Self::default();
        list.add(SUBMIT_INDEX, phase.submit_index);
        if phase.task_id != u64::MAX {
            list.add(TASK_ID, phase.task_id);
        }
        list
    }

    #[inline]
    fn add(&mut self, name: u8, value: u64) {
        self.values[self.count] = (name, value);
        self.count += 1;
    }

    #[inline]
    fn add_wait(&mut self, name: u8, ticks: Option<u64>, clock: &Clock) {
        if let Some(ticks) = ticks {
            self.add(name, clock.nanoseconds(ticks));
        }
    }

    /// As debug annotations with interned names, into a track event.
    #[inline]
    pub(super) fn write(&self, event: &mut EventFields) {
        for &(name, value) in &self.values[..self.count] {
            // debug_annotations = 4, name_iid = 1, uint_value = 3; each key is one byte.
            event.raw([0x22, 3 + varint_bytes(value), 0x08, name, 0x18]);
            event.varint(value);
        }
    }

    /// As debug annotations with their names in full, into a track event.
    pub(super) fn spelled_out(&self, event: &mut Wire) {
        for &(name, value) in &self.values[..self.count] {
            annotate_uint(event, ARGUMENT_NAMES[usize::from(name) - 1], value);
        }
    }
}

/// A point on a track, spelled out.
pub(super) fn instant(
    wire: &mut Wire,
    at_ns: u64,
    track: u64,
    name: &str,
    annotate: impl FnOnce(&mut Wire),
) {
    spell_out(wire, at_ns, (INSTANT, track), |event| {
        event.text(length_key(23), name);
        annotate(event);
    });
}

/// A slice on a track that has no other at the time, spelled out.
pub(super) fn slice(
    wire: &mut Wire,
    (start_ns, end_ns): (u64, u64),
    track: u64,
    name: &str,
    annotate: impl FnOnce(&mut Wire),
) {
    spell_out(wire, start_ns, (SLICE_BEGIN, track), |event| {
        event.text(length_key(23), name);
        annotate(event);
    });
    spell_out(wire, end_ns, (SLICE_END, track), |_| {});
}

fn spell_out(
    wire: &mut Wire,
    at_ns: u64,
    (event_type, track): (u64, u64),
    fill: impl FnOnce(&mut Wire),
) {
    wire.message(length_key(1), |packet| {
        packet.uint(varint_key(8), at_ns);
        packet.uint(varint_key(10), PLAIN_SEQUENCE);
        packet.message(length_key(TRACK_EVENT), |event| {
            event.uint(varint_key(9), event_type);
            event.uint(varint_key(11), track);
            fill(event);
        });
    });
}

/// A number as an argument.
pub(super) fn annotate_uint(event: &mut Wire, name: &str, value: u64) {
    event.message(length_key(4), |annotation| {
        annotation.text(length_key(10), name);
        annotation.uint(varint_key(3), value);
    });
}

/// A text as an argument.
pub(super) fn annotate_text(event: &mut Wire, name: &str, value: &str) {
    event.message(length_key(4), |annotation| {
        annotation.text(length_key(10), name);
        annotation.text(length_key(6), value);
    });
}

/// What the orchestrator submitted, and the phases it spent time in.
pub(super) fn annotate_totals(event: &mut Wire, totals: &Orchestrator, clock: &Clock) {
    if let Ok(count) = u64::try_from(totals.submit_count) {
        annotate_uint(event, "submit_count", count);
    }
    for (phase, ticks) in Orchestrator::PHASES.iter().zip(totals.phase_ticks) {
        if let Some(ns @ 1..) = clock.sum_ns(ticks) {
            annotate_uint(event, &format!("{phase}_ns"), ns);
        }
    }
}

/// More findings than this are in the verdict's own file.
const FINDINGS_SHOWN: usize = 20;

/// The facts of the run, its verdict, and what this file does not show.
pub(super) fn annotate_run(event: &mut Wire, trace: &Trace, written: &Written) {
    let session = trace.session();
    annotate_text(event, "platform", &session.platform);
    annotate_text(event, "workload", &session.workload);
    annotate_uint(event, "ticks_per_second", session.ticks_per_second);
    annotate_uint(event, "cores", session.cores.len() as u64);
    annotate_uint(event, "aicpu_threads", u64::from(session.threads));
    let facts = [
        ("swimlane_level", session.level.map(u64::from)),
        ("pmu_event", session.pmu_event.map(u64::from)),
        ("ring_size", session.ring_size.map(u64::from)),
        ("issue_depth", session.issue_depth.map(u64::from)),
        ("seed", session.seed),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            annotate_uint(event, name, value);
        }
    }
    annotate_uint(event, "tasks", trace.task_count());
    annotate_uint(event, "edges", trace.edges().len() as u64);
    if let Some(verdict) = trace.verdict() {
        annotate_text(event, "verdict", verdict.outcome.name());
        annotate_uint(event, "dispatched", verdict.dispatched);
        annotate_uint(event, "total", verdict.totals.total);
        annotate_uint(event, "collected", verdict.totals.collected);
        annotate_uint(event, "dropped", verdict.totals.dropped.sum());
        annotate_uint(event, "mismatched", verdict.totals.mismatched);
        annotate_uint(event, "abandoned", verdict.abandoned.len() as u64);
        for kind in &verdict.kinds {
            annotate_uint(event, &format!("{}_total", kind.kind), kind.counts.total);
            let name = format!("{}_collected", kind.kind);
            annotate_uint(event, &name, kind.counts.collected);
        }
        for finding in verdict.findings.iter().take(FINDINGS_SHOWN) {
            annotate_text(event, "finding", &finding.text);
        }
    }
    for note in trace.notes().iter().take(FINDINGS_SHOWN) {
        annotate_text(event, "note", &format!("{} {}", note.count, note.text));
    }
    let shown = [
        ("undrawn_tasks", written.undrawn_tasks),
        ("undrawn_flows", written.undrawn_flows),
        ("overlapping_tasks", written.overlapping_tasks),
        ("lost_records", written.lost_records),
        ("lost_phases", written.lost_phases),
        ("lost_others", written.lost_others),
        ("undrawn_counters", written.undrawn_counters),
        ("undrawn_stays", written.undrawn_stays),
        ("undrawn_phases", written.undrawn_phases),
    ];
    for (name, value) in shown {
        annotate_uint(event, name, value);
    }
}
