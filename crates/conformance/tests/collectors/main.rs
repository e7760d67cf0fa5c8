//! All collectors, end to end: what they recorded is what happened.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "what is not there fails the test"
)]

mod counters;
mod counting;
mod dumped;
mod dumping;
mod phases;
mod replayed;
mod tensors;
mod threads;

use lanescope::{Collectors, DumpOptions, Kind, Outcome, PmuOptions, Policy, Session};
use lanescope_conformance::{Case, Finished, chain, exclusive, timeline};
use lanescope_examples::{
    BgemmOptions, Built, PagedAttentionOptions, VectorOptions, WorkloadOptions,
};

const PLATFORMS: [&str; 2] = ["a2a3sim", "a5sim"];

/// Everything at once.
fn all(level: u32) -> Collectors {
    Collectors {
        pmu: Some(PmuOptions::default()),
        dump: Some(DumpOptions::default()),
        ..Collectors::swimlane(level)
    }
}

fn attention() -> WorkloadOptions {
    WorkloadOptions::PagedAttention(PagedAttentionOptions {
        batch: 3,
        ..PagedAttentionOptions::default()
    })
}

fn case(platform: &'static str, workload: WorkloadOptions, collectors: Collectors) -> Case {
    let mut case = Case::new(platform, 2, workload);
    case.run.collectors = collectors;
    case
}

/// An opened device, and a graph for it.
struct Stage {
    case: Case,
    session: Session,
    built: Built,
}

impl Stage {
    fn new(case: Case) -> Self {
        let build = case.build().expect("built");
        let built = case.graph(&build).expect("a graph");
        let device = case.open(&build).expect("opens");
        let session = Session::open(device, &build, &case.session).expect("a session");
        Self {
            case,
            session,
            built,
        }
    }

    fn run(&mut self) -> Finished {
        let run = self.case.run_in(&mut self.session, &self.built);
        run.unwrap_or_else(|error| panic!("{:?}: {}", self.case, chain(&*error)))
    }

    /// Everything that is wrong with a run that lost nothing.
    fn faults(&self, finished: &Finished) -> Vec<String> {
        let chip = self.session.chip();
        let Collectors {
            swimlane,
            pmu,
            dump,
            ..
        } = &self.case.run.collectors;
        let mut faults = exactness(finished);
        if swimlane.level >= 2 {
            faults.extend(timeline::faults(finished));
        }
        if swimlane.level >= 3 {
            faults.extend(phases::faults(finished));
        }
        if let Some(pmu) = pmu
            && swimlane.level > 0
        {
            let is_timed = !self
                .case
                .driver_settings
                .contains(&("threads".into(), "1".into()));
            faults.extend(counters::faults(finished, chip, pmu.event, is_timed));
        }
        if dump.is_some() {
            let graph = &self.built.graph;
            faults.extend(replayed::faults(graph, &self.session, &finished.trace));
        }
        faults
    }

    #[track_caller]
    fn assert_exact(&mut self) -> Finished {
        let finished = self.run();
        let faults = self.faults(&finished);
        assert!(faults.is_empty(), "{:?}: {}", self.case, faults.join("\n"));
        finished
    }
}

/// Whether every kind was recorded whole.
fn exactness(finished: &Finished) -> Vec<String> {
    let verdict = &finished.outcome.verdict;
    let mut faults = Vec::new();
    if verdict.outcome != Outcome::Exact {
        faults.push(format!(
            "{}: {:?}",
            verdict.outcome.name(),
            verdict.findings
        ));
    }
    for kind in &verdict.kinds {
        let counts = &kind.counts;
        if counts.total == 0 || counts.collected != counts.total {
            faults.push(format!("{kind:?}"));
        }
    }
    faults
}

#[test]
fn all_collectors_at_once_are_exact_on_paged_attention() {
    let _device = exclusive();
    for platform in PLATFORMS {
        let mut stage = Stage::new(case(platform, attention(), all(4)));
        let finished = stage.assert_exact();
        let kinds: Vec<_> = finished
            .outcome
            .verdict
            .kinds
            .iter()
            .map(|kind| kind.kind)
            .collect();
        assert_eq!(
            kinds,
            [Kind::TASK, Kind::PHASE, Kind::PMU, Kind::TENSOR],
            "{platform}"
        );
        // And again in the same session.
        stage.assert_exact();
    }
}

/// Copying takes some 300 µs; a thread that sleeps over a tensor it could copy takes 250 ms.
const LONGEST_DUMP_US: f64 = 2000.0;

#[test]
fn no_thread_sleeps_over_a_tensor_that_it_could_copy() {
    let _device = exclusive();
    for platform in PLATFORMS {
        for threads in [1, 2, 3, 4] {
            let mut collectors = all(3);
            collectors.pmu = None;
            let mut case = case(platform, attention(), collectors);
            case.run.threads = Some(threads);
            let finished = Stage::new(case).assert_exact();
            let session = finished.trace.session();
            let took = session.microseconds(finished.outcome.device_ticks);
            assert!(
                took < LONGEST_DUMP_US,
                "{platform}, {threads} threads: {took} µs"
            );
        }
    }
}

#[test]
fn each_collector_works_with_the_others_off() {
    let _device = exclusive();
    let only = [
        Collectors::swimlane(1),
        Collectors::swimlane(3),
        Collectors {
            pmu: Some(PmuOptions::default()),
            ..Collectors::default()
        },
        Collectors {
            dump: Some(DumpOptions::default()),
            ..Collectors::default()
        },
    ];
    for platform in PLATFORMS {
        for collectors in &only {
            let workload = WorkloadOptions::Bgemm(BgemmOptions {
                batch: 1,
                ..BgemmOptions::default()
            });
            let mut stage = Stage::new(case(platform, workload, collectors.clone()));
            let finished = stage.assert_exact();
            let expected = 1 + usize::from(collectors.swimlane.level >= 3);
            assert_eq!(
                finished.outcome.verdict.kinds.len(),
                expected,
                "{platform} {collectors:?}"
            );
        }
    }
}

#[test]
fn chains_that_change_their_tiles_in_place_are_dumped_as_they_were() {
    let _device = exclusive();
    for platform in PLATFORMS {
        let workload = WorkloadOptions::Vector(VectorOptions {
            tasks: 300,
            tile: 100,
            chains: 20,
        });
        for seed in [0, 5] {
            let case = case(platform, workload.clone(), all(4)).with_setting("seed", seed);
            Stage::new(case).assert_exact();
        }
    }
}

/// Asserts that two runs have recorded the same, lane by lane: blocks of different lanes reach the file in
/// any order.
#[track_caller]
fn assert_same_records(first: &Finished, second: &Finished, what: &str) {
    let tasks = |finished: &Finished| {
        let mut tasks: Vec<_> = finished.trace.tasks().collect();
        tasks.sort_by_key(|task| (task.core, task.dispatch_ticks));
        tasks
    };
    assert_eq!(tasks(first), tasks(second), "{what}: tasks");
    let phases = |finished: &Finished| {
        let trace = &finished.trace;
        let threads = 0..trace.session().threads;
        threads
            .map(|thread| trace.scheduler_phases(thread).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    assert_eq!(phases(first), phases(second), "{what}: phases");
    let counters = |finished: &Finished| finished.trace.pmu_rows().collect::<Vec<_>>();
    assert_eq!(counters(first), counters(second), "{what}: counters");
    let tensors = |finished: &Finished| finished.trace.tensors().collect::<Vec<_>>();
    let (one, other) = (tensors(first), tensors(second));
    assert_eq!(one, other, "{what}: tensors");
    for (row, other) in one.iter().zip(&other) {
        let bytes = first.trace.payload(row).map(|bytes| bytes.to_vec());
        let others = second.trace.payload(other).map(|bytes| bytes.to_vec());
        assert!(bytes == others, "{what}: bytes of {row:?}");
    }
    let waits = |finished: &Finished| {
        let lanes = finished.outcome.verdict.lanes.iter();
        lanes
            .map(|lane| (lane.kind, lane.thread, lane.waits, lane.blocked_ticks))
            .collect::<Vec<_>>()
    };
    assert_eq!(waits(first), waits(second), "{what}: waits");
}

#[test]
fn one_seed_is_one_dump() {
    let _device = exclusive();
    for platform in PLATFORMS {
        let once = || {
            let case = case(platform, attention(), all(4)).with_setting("seed", 11);
            Stage::new(case).assert_exact()
        };
        assert_same_records(&once(), &once(), platform);
    }
}

#[test]
fn one_seed_is_one_dump_however_little_room_the_arena_has() {
    let _device = exclusive();
    let kinds = [
        (Policy::Block, "off"),
        (Policy::Truncate, "off"),
        (Policy::Block, "40"),
        (Policy::Truncate, "40"),
        (Policy::DropNewest, "40"),
    ];
    for platform in PLATFORMS {
        for (policy, late_host) in kinds {
            let once = || {
                let mut collectors = all(4);
                let dump = collectors.dump.as_mut().expect("it is on");
                dump.arena_bytes = 32 << 10;
                dump.lanes.policy = policy;
                let case = case(platform, attention(), collectors)
                    .with_setting("seed", 11)
                    .with_setting("late-host", late_host);
                Stage::new(case).run()
            };
            let what = format!("{platform}, {policy:?}, late-host {late_host}");
            let (first, second) = (once(), once());
            assert_same_records(&first, &second, &what);
            let lost = &first.outcome.verdict.outcome;
            let expected = match policy {
                Policy::Block => Outcome::Exact,
                _ if late_host == "off" => Outcome::Exact,
                _ => Outcome::Lossy,
            };
            assert_eq!(
                *lost, expected,
                "{what}: {:?}",
                first.outcome.verdict.findings
            );
        }
    }
}
