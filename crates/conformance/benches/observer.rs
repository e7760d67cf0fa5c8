//! What each level and collector costs: in virtual time per task, against a run that records nothing.
#![expect(clippy::print_stdout, reason = "a bench prints its rows")]

use lanescope::{Collectors, DumpOptions, PmuOptions, RunOutcome, Session};
use lanescope_conformance::{Case, chain};
use lanescope_examples::{VectorOptions, WorkloadOptions};

const PLATFORMS: [&str; 2] = ["a2a3sim", "a5sim"];

/// Most nanoseconds that level 2 may cost a task, as hardware showed for the reference.
const TARGET_NS: f64 = 800.0;
const TASKS: u64 = 20_000;
/// Elements of a small tile, 256 bytes, and of a large one, 256 KiB.
const SMALL_TILE: u64 = 64;
const LARGE_TILE: u64 = 1 << 16;
const LARGE_TASKS: u64 = 200;

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    for platform in PLATFORMS {
        levels(platform);
        bandwidth(platform);
    }
}

/// Nanoseconds a task, where one AICPU thread is what everything waits for.
fn levels(platform: &str) {
    let mut bench = Bench::new(platform, vector(TASKS, SMALL_TILE));
    let off = bench.run(&Collectors::default());
    let off_ns = device_ns(&off);
    println!(
        "row: {platform}, one AICPU thread, nothing recorded, a task | - | {:.0} ns | -",
        off_ns / count(TASKS)
    );
    for level in 1..=4 {
        let cost = bench.cost_ns(&Collectors::swimlane(level), off_ns);
        if level == 2 {
            let ratio = cost / TARGET_NS;
            println!(
                "row: {platform}, swimlane level 2 against off, a task | <= {TARGET_NS} ns | {cost:.0} ns | {ratio:.2}"
            );
        } else {
            println!(
                "row: {platform}, swimlane level {level} against off, a task | - | {cost:.0} ns | -"
            );
        }
    }
    // Where the AICPU reads the counters, a core has one task at a time.
    bench.case.run.issue_depth = Some(1);
    let alone_ns = device_ns(&bench.run(&Collectors::default()));
    let pmu = Collectors {
        pmu: Some(PmuOptions::default()),
        ..Collectors::default()
    };
    let cost = bench.cost_ns(&pmu, alone_ns);
    println!(
        "row: {platform}, hardware counters against off, both at issue depth 1, a task | - | {cost:.0} ns | -"
    );
    bench.case.run.issue_depth = None;
    let dump = Collectors {
        dump: Some(DumpOptions::default()),
        ..Collectors::default()
    };
    let cost = bench.cost_ns(&dump, off_ns);
    println!(
        "row: {platform}, dump of all tensors, 0.8 KiB a task, against off, a task | - | {cost:.0} ns | -"
    );
}

/// Bytes of tensors that one AICPU thread dumps in a nanosecond of virtual time, and the host takes in a
/// second of its own.
fn bandwidth(platform: &str) {
    let mut bench = Bench::new(platform, vector(LARGE_TASKS, LARGE_TILE));
    let off = bench.run(&Collectors::default());
    let dump = Collectors {
        dump: Some(DumpOptions::default()),
        ..Collectors::default()
    };
    let outcome = bench.run(&dump);
    let took_ns = device_ns(&outcome) - device_ns(&off);
    let wall = outcome.elapsed.saturating_sub(off.elapsed);
    let bytes = count(bench.dumped_bytes);
    println!(
        "row: {platform}, dump of 256 KiB tensors, one AICPU thread | - | {:.2} B/ns of virtual time, {:.0} MB/s of wall time, simulation included | -",
        bytes / took_ns,
        bytes / 1e6 / wall.as_secs_f64()
    );
}

struct Bench {
    case: Case,
    session: Session,
    built: lanescope_examples::Built,
    dumped_bytes: u64,
}

impl Bench {
    fn new(platform: &str, workload: WorkloadOptions) -> Self {
        let platform = PLATFORMS.into_iter().find(|name| *name == platform);
        let mut case = Case::new(platform.expect("a platform"), 2, workload);
        case.run.threads = Some(1);
        case.run.clusters = Some(24);
        let build = case.build().expect("built");
        let built = case.graph(&build).expect("a graph");
        let device = case.open(&build).expect("opens");
        let session = Session::open(device, &build, &case.session).expect("a session");
        let views = built.graph.views().iter();
        let stages = |role: lanescope::Role| {
            let stages = lanescope::Stage::ALL.into_iter();
            stages.filter(|stage| role.has(*stage)).count() as u64
        };
        let dumped_bytes = views
            .map(|(_, view)| view.bytes().unwrap_or(0) * stages(view.role()))
            .sum();
        Self {
            case,
            session,
            built,
            dumped_bytes,
        }
    }

    fn run(&mut self, collectors: &Collectors) -> RunOutcome {
        let mut options = self.case.run.clone();
        options.collectors = collectors.clone();
        let outcome = self.session.run(&self.built.graph, &options);
        let outcome = outcome.unwrap_or_else(|error| panic!("{collectors:?}: {}", chain(&error)));
        assert_eq!(outcome.verdict.outcome.name(), "exact", "{collectors:?}");
        outcome
    }

    /// What these cost a task, beyond a run that took so long.
    fn cost_ns(&mut self, collectors: &Collectors, off_ns: f64) -> f64 {
        (device_ns(&self.run(collectors)) - off_ns) / count(TASKS)
    }
}

fn vector(tasks: u64, tile: u64) -> WorkloadOptions {
    WorkloadOptions::Vector(VectorOptions {
        tasks,
        tile,
        chains: 96,
    })
}

fn device_ns(outcome: &RunOutcome) -> f64 {
    count(outcome.device_ticks) * 1e9 / count(outcome.ticks_per_second)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn count(number: u64) -> f64 {
    number as f64
}
