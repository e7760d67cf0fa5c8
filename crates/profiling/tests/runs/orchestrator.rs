//! An orchestrator on the device, from its recorder to the exported files.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../export/tests/perfetto/decode.rs"]
#[allow(dead_code, reason = "not all that is decoded is asked for here")]
mod decode;
#[path = "../../../export/tests/perfetto/messages.rs"]
#[allow(dead_code, reason = "not all that is decoded is asked for here")]
mod messages;
use crate::support::{Bed, ControlRegion, Sink, ended};
use lanescope_abi::capture::Policy;
use lanescope_abi::{Kind, PhaseKind};
use lanescope_aicpu::record::Phase;
use lanescope_capture::{Outcome, Verdict};
use lanescope_export::{perfetto, records_json};
use lanescope_profiling::{Collector, LaneSettings, Phases, Swimlane};
use lanescope_trace::Trace;
use serde_json::{Value, json};

const THREADS: u32 = 2;
const CORES: u32 = 4;
const TASKS: u64 = 40;
/// More than a buffer holds.
const SUBMISSIONS: u32 = 50;

/// The steps of a submission, in the order in which this orchestrator takes them.
const STEPS: [PhaseKind; 9] = [
    PhaseKind::OrchSync,
    PhaseKind::OrchAlloc,
    PhaseKind::OrchParams,
    PhaseKind::OrchLookup,
    PhaseKind::OrchHeap,
    PhaseKind::OrchInsert,
    PhaseKind::OrchFanin,
    PhaseKind::OrchFinalize,
    PhaseKind::OrchScopeEnd,
];

/// As in the reference's files.
const NAMES: [&str; 9] = [
    "orch_sync",
    "orch_alloc",
    "orch_params",
    "orch_lookup",
    "orch_heap",
    "orch_insert",
    "orch_fanin",
    "orch_finalize",
    "orch_scope_end",
];

/// What the orchestrator did, one step behind the other.
fn steps() -> impl Iterator<Item = Phase> {
    (0..SUBMISSIONS).flat_map(|submission| {
        (0u64..).zip(STEPS).map(move |(step, kind)| {
            let begin_ticks = 1_000_000 + u64::from(submission) * 1000 + step * 100;
            Phase {
                kind,
                begin_ticks,
                end_ticks: begin_ticks + 50,
                round: submission,
                tasks: 1,
                hits: 0,
                misses: 0,
                task_id: match kind {
                    PhaseKind::OrchScopeEnd => u64::MAX,
                    _ => u64::from(submission) << 32 | 5,
                },
            }
        })
    })
}

/// What the scheduler did.
fn dispatch(task: u64) -> Phase {
    Phase {
        kind: PhaseKind::Dispatch,
        begin_ticks: 1_000_000 + task * 10,
        end_ticks: 1_000_005 + task * 10,
        round: 3,
        tasks: 1,
        hits: 1,
        misses: 0,
        task_id: u64::MAX,
    }
}

/// A run at a level: thread 0 schedules, thread 1 orchestrates and has cores too.
fn run(level: u32) -> (Verdict, Trace) {
    // Room for everything, and no waiting: a wait for the host would be a record too.
    let lanes = LaneSettings {
        buffers: 64,
        records_per_buffer: 16,
        policy: Policy::DropNewest,
        ..LaneSettings::default()
    };
    let collectors: Vec<Box<dyn Collector>> =
        vec![Box::new(Swimlane::new(lanes)), Box::new(Phases::new(lanes))];
    let mut bed = Bed::with_collectors(true, THREADS, CORES, collectors);
    let recording = bed.start(Sink::default());
    let control = ControlRegion::at_level(&bed, level);
    let mut dispatched = vec![0; CORES as usize];
    control.play(0, |scheduler| {
        assert_eq!(scheduler.records(), (true, level == 4));
        for task in 0..TASKS {
            let core = scheduler.cores[usize::from(task % 2 == 1)];
            scheduler.commit(core, task).unwrap();
            dispatched[core as usize] += 1;
            scheduler.phase(&dispatch(task)).unwrap();
        }
        scheduler.flush().unwrap();
    });
    control.play(1, |orchestrator| {
        for step in steps() {
            orchestrator.phase(&step).unwrap();
        }
        orchestrator.flush().unwrap();
    });
    let stopped = recording.stop(&ended(dispatched));
    let bytes = stopped.writer.unwrap().into_inner().unwrap().bytes;
    let name = format!("orchestrator-{}-{level}", std::process::id());
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, bytes).unwrap();
    let trace = lanescope_trace::capture::read(&file).unwrap().remove(0);
    // The mapping outlives the name.
    std::fs::remove_file(&file).unwrap();
    (stopped.verdict, trace)
}

fn phases_in(verdict: &Verdict) -> (u64, u64) {
    let kind = verdict.kinds.iter().find(|kind| kind.kind == Kind::PHASE);
    let counts = &kind.unwrap().counts;
    (counts.total, counts.collected)
}

#[test]
fn what_an_orchestrator_records_at_level_4_reaches_both_exports() {
    let (verdict, trace) = run(4);
    assert_eq!(verdict.findings, []);
    assert_eq!(verdict.outcome, Outcome::Exact);
    let count = steps().count() as u64;
    assert_eq!(phases_in(&verdict), (TASKS + count, TASKS + count));

    let mut json = Vec::new();
    records_json::write(&trace, &mut json).unwrap();
    let json: Value = serde_json::from_slice(&json).unwrap();
    let of = |key: &str, thread: usize| json[key][thread].as_array().unwrap().clone();
    let rows = of("aicpu_orchestrator_phases", 1);
    assert_eq!(rows.len() as u64, count);
    let scheduled = of("aicpu_scheduler_phases", 0);
    assert_eq!(scheduled.len() as u64, TASKS);
    assert!(of("aicpu_orchestrator_phases", 0).is_empty());
    assert!(of("aicpu_scheduler_phases", 1).is_empty());
    for ((row, step), name) in rows.iter().zip(steps()).zip(NAMES.iter().cycle()) {
        let told = (&row["phase"], &row["submit_idx"], &row["task_id"]);
        let expected = (&json!(name), &json!(step.round), &json!(step.task_id));
        assert_eq!(told, expected);
        // A tick is a nanosecond.
        let us = |key: &str| row[key].as_f64().unwrap();
        let took = us("end_time_us") - us("start_time_us");
        assert!((took - 0.05).abs() < 1e-6, "{row}");
    }

    let mut bytes = Vec::new();
    perfetto::write(&trace, &perfetto::Options::default(), &mut bytes).unwrap();
    let decoded = decode::decode(&bytes);
    let mut slices: Vec<_> = (decoded.slices.iter())
        .filter(|slice| decoded.tracks[&slice.track].thread == "orchestrator")
        .collect();
    slices.sort_by_key(|slice| slice.start_ns);
    assert_eq!(slices.len() as u64, count);
    for ((slice, step), name) in slices.iter().zip(steps()).zip(NAMES.iter().cycle()) {
        assert_eq!(decoded.tracks[&slice.track].process, "AICPU thread 1");
        assert_eq!(slice.name, *name);
        assert_eq!(
            (slice.start_ns, slice.end_ns),
            (step.begin_ticks, step.end_ticks)
        );
        let argument = |name: &str| slice.arguments.get(name).copied();
        assert_eq!(argument("submit_index"), Some(u64::from(step.round)));
        let task_id = Some(step.task_id).filter(|&task_id| task_id != u64::MAX);
        assert_eq!(argument("task_id"), task_id);
    }
}

#[test]
fn below_level_4_an_orchestrator_leaves_no_trace() {
    let (verdict, trace) = run(3);
    assert_eq!(verdict.findings, []);
    assert_eq!(verdict.outcome, Outcome::Exact);
    assert_eq!(phases_in(&verdict), (TASKS, TASKS));
    assert_eq!(trace.orchestrator_phases(1).count(), 0);
    assert_eq!(trace.scheduler_phases(0).count() as u64, TASKS);
}
