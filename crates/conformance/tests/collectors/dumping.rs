//! Tensors, end to end: of every type, of every size, and where there is no room for them.

use crate::dumped::{self, Found};
use crate::tensors::TensorGraph;
use crate::{PLATFORMS, Stage, case};
use lanescope::{
    Build, Collectors, DumpOptions, Outcome, Policy, RunOptions, RuntimeError, Session,
};
use lanescope_capture::FindingKind;
use lanescope_conformance::{Case, Folder, chain, exclusive, small};
use lanescope_examples::{VectorOptions, WorkloadOptions};
use lanescope_trace::Trace;

/// Runs a graph of tensors and looks at its dump. Whatever was lost was counted.
#[track_caller]
pub fn dump(
    case: &Case,
    options: DumpOptions,
    graph: impl FnOnce(&Build) -> Result<TensorGraph, RuntimeError>,
) -> Found {
    let build = case.build().expect("built");
    let graph = graph(&build).expect("a graph");
    let device = case.open(&build).expect("opens");
    let mut session = Session::open(device, &build, &case.session).expect("a session");
    let folder = Folder::new().expect("a folder");
    let options = RunOptions {
        collectors: Collectors {
            dump: Some(options),
            ..case.run.collectors.clone()
        },
        capture: Some(folder.path().to_owned()),
        ..case.run.clone()
    };
    let run = session.run(&graph.graph, &options);
    let outcome = run.unwrap_or_else(|error| panic!("{case:?}: {}", chain(&error)));
    let trace = Trace::open(folder.path()).expect("a capture");
    let (found, mut faults) = dumped::look(&graph, &trace, &outcome.verdict);
    let expected = match found.dropped + found.truncated {
        0 => Outcome::Exact,
        _ => Outcome::Lossy,
    };
    if outcome.verdict.outcome != expected {
        faults.push(format!("{:?}", outcome.verdict.findings));
    }
    assert!(faults.is_empty(), "{case:?}: {}", faults.join("\n"));
    found
}

/// A run that records nothing of itself.
pub fn quiet(platform: &'static str) -> Case {
    case(platform, small(), Collectors::default())
}

#[test]
fn every_type_rank_and_layout_is_dumped_element_after_element() {
    let _device = exclusive();
    for platform in PLATFORMS {
        for seed in [1, 2] {
            let found = dump(&quiet(platform), DumpOptions::default(), |build| {
                TensorGraph::of_every_kind(build, seed)
            });
            let tensors = 2 * 11 * 6 * 6;
            assert_eq!(
                (found.whole, found.truncated, found.dropped),
                (tensors, 0, 0)
            );
        }
    }
}

#[test]
fn a_hundred_thousand_small_tensors_are_all_there() {
    let _device = exclusive();
    for platform in PLATFORMS {
        let found = dump(&quiet(platform), DumpOptions::default(), |build| {
            TensorGraph::small(build, 3, 50_000)
        });
        assert_eq!(found.whole, 100_000, "{platform}: {found:?}");
    }
}

#[test]
fn a_tensor_larger_than_the_arena_is_cut_and_flagged_with_every_policy() {
    let _device = exclusive();
    let sizes = [100, 70_000, 4096, 65_536, 1_000_000, 8];
    for platform in PLATFORMS {
        for policy in [Policy::Block, Policy::DropNewest, Policy::Truncate] {
            let mut options = DumpOptions {
                arena_bytes: 64 << 10,
                ..DumpOptions::default()
            };
            options.lanes.policy = policy;
            let mut case = quiet(platform);
            case.run.threads = Some(1);
            let found = dump(&case, options, |build| {
                TensorGraph::of_bytes(build, 4, &sizes)
            });
            if policy == Policy::Block {
                let expected = Found {
                    whole: 6,
                    truncated: 6,
                    dropped: 0,
                };
                assert_eq!(found, expected, "{platform}");
            }
            assert!(found.truncated > 0, "{platform} {policy:?}: {found:?}");
        }
    }
}

#[test]
fn a_late_host_makes_a_small_arena_wait_or_lose_and_never_lie() {
    let _device = exclusive();
    let sizes: Vec<u32> = (0..400).map(|task| 64 + task * 37 % 3000).collect();
    for platform in PLATFORMS {
        for policy in [Policy::Block, Policy::DropNewest, Policy::Truncate] {
            let mut options = DumpOptions {
                arena_bytes: 16 << 10,
                ..DumpOptions::default()
            };
            options.lanes.policy = policy;
            options.lanes.records_per_buffer = Some(8);
            // Room in the arena is what there is too little of.
            options.lanes.buffers = Some(16);
            let mut case = quiet(platform).with_setting("late-host", 300);
            case.run.threads = Some(2);
            case.run.clusters = Some(4);
            let found = dump(&case, options, |build| {
                TensorGraph::of_bytes(build, 6, &sizes)
            });
            let all = found.whole + found.truncated + found.dropped;
            assert_eq!(all, 800, "{platform} {policy:?}: {found:?}");
            match policy {
                Policy::Block => assert_eq!(found.whole, 800, "{platform}: {found:?}"),
                Policy::DropNewest => assert!(found.dropped > 0, "{platform}: {found:?}"),
                Policy::Truncate => assert!(found.truncated > 0, "{platform}: {found:?}"),
            }
        }
    }
}

/// Of the thread that copies it: 16 KiB take about 8 µs, and a round of looks at cores a few more.
const LONGEST_STALL_US: f64 = 25.0;

#[test]
fn a_large_tensor_keeps_no_finished_task_waiting() {
    let _device = exclusive();
    let sizes: Vec<u32> = std::iter::once(2_000_000)
        .chain((0..300).map(|_| 4096))
        .collect();
    for platform in PLATFORMS {
        let mut case = quiet(platform);
        case.run.threads = Some(1);
        case.run.clusters = Some(4);
        let build = case.build().expect("built");
        let graph = TensorGraph::of_bytes(&build, 8, &sizes).expect("a graph");
        let device = case.open(&build).expect("opens");
        let mut session = Session::open(device, &build, &case.session).expect("a session");
        let folder = Folder::new().expect("a folder");
        let mut options = case.run.clone();
        options.capture = Some(folder.path().to_owned());
        options.collectors = Collectors::swimlane(2);
        let mut dump = DumpOptions::default();
        dump.selection.task_ids = vec![graph.expected[0].task_id];
        options.collectors.dump = Some(dump);
        let outcome = session.run(&graph.graph, &options).expect("runs");
        assert_eq!(outcome.verdict.outcome, Outcome::Exact, "{platform}");
        let trace = Trace::open(folder.path()).expect("a capture");
        let copying: Vec<u64> = trace.tensors().map(|row| row.ticks).collect();
        assert_eq!(copying.len(), 2, "{platform}");
        let is_meanwhile = |ticks: u64| (copying[0]..=copying[1]).contains(&ticks);
        let meanwhile = trace.tasks().filter(|task| is_meanwhile(task.end_ticks));
        assert!(
            meanwhile.count() > 100,
            "{platform}: others ran while it was copied"
        );
        for task in trace.tasks() {
            let waited = trace
                .session()
                .microseconds(task.finish_ticks - task.end_ticks);
            assert!(
                waited < LONGEST_STALL_US,
                "{platform}: {waited} µs: {task:?}"
            );
        }
    }
}

#[test]
fn a_payload_that_is_overwritten_in_the_arena_is_found_and_never_shown() {
    let _device = exclusive();
    for platform in PLATFORMS {
        for seed in [0, 5] {
            let mut case = case(platform, small(), Collectors::default());
            case.run.collectors.dump = Some(DumpOptions::default());
            case.run.threads = Some(2);
            // Of the first thread, from its fourth tensor on.
            let case = case
                .with_setting("corrupt", "payload:0:4")
                .with_setting("seed", seed);
            let finished = Stage::new(case).run();
            let (trace, verdict) = (&finished.trace, &finished.outcome.verdict);
            let (mut whole, mut overwritten) = ([0, 0], [0, 0]);
            for row in trace.tensors() {
                let thread = usize::try_from(row.thread).expect("a few threads");
                let is_struck = thread == 0 && whole[0] == 3;
                assert_eq!(
                    trace.payload(&row).is_none(),
                    is_struck,
                    "{platform}: {row:?}"
                );
                match is_struck {
                    true => overwritten[thread] += 1,
                    false => whole[thread] += 1,
                }
            }
            assert!(
                whole[1] > 3 && overwritten[0] > 3,
                "{whole:?} {overwritten:?}"
            );
            assert_eq!(verdict.outcome, Outcome::Broken, "{platform} seed {seed}");
            let findings = verdict.findings.iter();
            let of_kind = findings.filter(|finding| finding.kind == FindingKind::Overwritten);
            let found: u64 = of_kind.map(|finding| finding.count).sum();
            assert_eq!(found, overwritten[0], "{platform}: {:?}", verdict.findings);
        }
    }
}

/// Of one AICPU thread, in virtual time: a line costs an invalidation, its copy, and its share of a checksum.
const LEAST_BYTES_PER_NS: f64 = 2.0;

#[test]
fn a_dump_takes_little_longer_than_its_bytes_take() {
    let _device = exclusive();
    for platform in PLATFORMS {
        let run = |dumps: bool| {
            let workload = WorkloadOptions::Vector(VectorOptions {
                tasks: 60,
                tile: 1 << 14,
                chains: 20,
            });
            let mut collectors = Collectors::swimlane(1);
            collectors.dump = dumps.then(DumpOptions::default);
            let mut case = case(platform, workload, collectors);
            case.run.threads = Some(1);
            Stage::new(case).assert_exact()
        };
        let (without, with) = (run(false), run(true));
        let bytes: u64 = with.trace.tensors().map(|row| row.payload_bytes).sum();
        assert!(bytes > 60 << 16, "{bytes}");
        let ticks = with.outcome.device_ticks - without.outcome.device_ticks;
        let took_ns = 1000.0 * with.trace.session().microseconds(ticks);
        let bytes = f64::from(u32::try_from(bytes).expect("a few MiB"));
        assert!(
            bytes / took_ns >= LEAST_BYTES_PER_NS,
            "{platform}: {bytes} bytes in {took_ns} ns"
        );
    }
}
