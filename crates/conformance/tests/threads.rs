//! Real threads and real atomics in the device process: nothing is lost, whoever runs when.

use lanescope::{Outcome, Policy, Session, SessionOptions, Token};
use lanescope_abi::token::TOKEN_LAST;
use lanescope_capture::{CAPTURE_FILE_NAME, CaptureFile};
use lanescope_conformance::{Case, Finished, Folder, timeline};
use lanescope_examples::{BgemmOptions, PagedAttentionOptions, VectorOptions, WorkloadOptions};
use lanescope_stress::{Effort, Numbers, Tried};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

const PLATFORMS: [&str; 2] = ["a2a3sim", "a5sim"];
const RING_SIZES: [u32; 5] = [1, 2, 4, 8, 16];

/// Runs in a row of one opened device.
const RUNS: u32 = 3;

fn workload(choices: &mut Numbers) -> WorkloadOptions {
    match choices.below(4) {
        0 => WorkloadOptions::Bgemm(BgemmOptions {
            batch: 1 + choices.below(3),
            ..BgemmOptions::default()
        }),
        1 => WorkloadOptions::PagedAttention(PagedAttentionOptions {
            batch: 1 + choices.below(8),
            ..PagedAttentionOptions::default()
        }),
        _ => WorkloadOptions::Vector(VectorOptions {
            tasks: 400 + choices.below(1600),
            tile: 64,
            chains: 1 + choices.below(300),
        }),
    }
}

/// The case of a seed; the platform and the ring size take turns, so that a few seeds have all.
fn case(seed: u64) -> Case {
    let mut choices = Numbers::new(seed);
    let turn = |length: usize, step: u64| {
        let length = length as u64;
        usize::try_from(seed / step % length).expect("below a length")
    };
    let platform = PLATFORMS[turn(PLATFORMS.len(), 1)];
    let ring_size = RING_SIZES[turn(RING_SIZES.len(), PLATFORMS.len() as u64)];
    let mut case = Case::new(platform, ring_size, workload(&mut choices))
        .with_setting("threads", 1)
        // Without one, no store is late and nobody is pushed aside: also worth a run.
        .with_setting("seed", if choices.below(8) == 0 { 0 } else { seed + 1 });
    let clusters = choices.one_of(&[2, 4, 9, 24]);
    case.run.clusters = Some(clusters);
    case.run.threads = Some(1 + choices.below(clusters.min(4)));
    case.run.issue_depth = Some(1 + choices.below(ring_size));
    // Tiny ones, so that buffers change hands all the time; and those that users get.
    if choices.below(4) != 0 {
        case.run.collectors.swimlane.lanes.records_per_buffer = Some(choices.one_of(&[16, 32, 64]));
        case.run.collectors.swimlane.lanes.buffers = Some(choices.one_of(&[2, 4, 8]));
    }
    if choices.below(2) == 0 {
        case.session = SessionOptions {
            first_token: Token::new(TOKEN_LAST - choices.below(30)).expect("a token"),
            ..SessionOptions::default()
        };
    }
    if choices.below(3) == 0 {
        case.run.collectors.swimlane.lanes.policy = Policy::DropNewest;
    }
    case
}

#[test]
fn nothing_is_lost_on_real_threads() {
    let _device = lanescope_conformance::exclusive();
    let effort = Effort::new("nothing_is_lost_on_real_threads", 20);
    while let Some(seed) = effort.next_seed() {
        let case = case(seed);
        let build = case.build().expect("built");
        let device = case.open(&build).expect("opens");
        let mut session = Session::open(device, &build, &case.session).expect("a session");
        let built = case.graph(&build).expect("a graph");
        for run in 0..RUNS {
            let finished = case
                .run_in(&mut session, &built)
                .unwrap_or_else(|error| panic!("seed {seed}, run {run}: {case:?}: {error:?}"));
            let mut faults = match case.run.collectors.swimlane.lanes.policy {
                Policy::DropNewest => Vec::new(),
                _ => timeline::faults(&finished),
            };
            faults.extend(unaccounted(&finished));
            faults.truncate(12);
            assert!(
                faults.is_empty(),
                "seed {seed}, run {run}: {case:?}: {}",
                faults.join("; ")
            );
            effort.add(Tried::Runs, 1);
        }
    }
}

/// What does not add up in a run that may have dropped records.
///
/// Checked: collected + dropped + mismatched == total == dispatched per kind, thread and core; as
/// many records of each core as were collected; no mismatch; no task twice or unknown, no (core,
/// token) twice; the times of a record in order; and for every edge between two records, end of
/// producer ≤ dispatch of consumer.
fn unaccounted(finished: &Finished) -> Vec<String> {
    let mut faults = Vec::new();
    let verdict = &finished.outcome.verdict;
    if !matches!(verdict.outcome, Outcome::Exact | Outcome::Lossy) {
        let name = verdict.outcome.name();
        faults.push(format!("verdict {name}: {:?}", verdict.findings));
    }
    if verdict.totals.total != finished.task_count {
        let total = verdict.totals.total;
        faults.push(format!("{total} commits of {} tasks", finished.task_count));
    }
    let mut records: HashMap<u32, u64> = HashMap::new();
    let mut tasks = HashMap::new();
    let mut keys = HashSet::new();
    for task in finished.trace.tasks() {
        *records.entry(u32::from(task.core)).or_default() += 1;
        if task.task_id >= finished.task_count {
            faults.push(format!("a record of task {}, unknown", task.task_id));
        }
        if tasks.insert(task.task_id, task).is_some() {
            faults.push(format!("two records of task {}", task.task_id));
        }
        if !keys.insert((task.core, task.token)) {
            faults.push(format!("token {} of core {} twice", task.token, task.core));
        }
        let ticks = [
            task.dispatch_ticks,
            task.receive_ticks,
            task.start_ticks,
            task.end_ticks,
            task.finish_ticks,
        ];
        if ticks[0] == 0 || !ticks.is_sorted() {
            faults.push(format!("task {}: times {ticks:?}", task.task_id));
        }
    }
    for core in &verdict.cores {
        let counts = &core.counts;
        let found = records.remove(&core.core.unwrap_or(u32::MAX)).unwrap_or(0);
        let adds_up = counts.accounted() == counts.total
            && counts.total == core.dispatched
            && counts.mismatched == 0
            && counts.collected == found;
        if !adds_up {
            faults.push(format!("{found} records of {core:?}"));
        }
    }
    if !records.is_empty() {
        faults.push(format!("records of cores without counts: {records:?}"));
    }
    for (from, to) in finished.trace.edges().iter() {
        if let (Some(from), Some(to)) = (tasks.get(&from), tasks.get(&to))
            && from.end_ticks > to.dispatch_ticks
        {
            let (from, to) = (from.task_id, to.task_id);
            faults.push(format!("edge {from} -> {to} is not respected"));
        }
    }
    faults
}

/// A case with limits that are short, and still long for a busy machine.
fn short_limits(platform: &'static str) -> Case {
    let vector = VectorOptions {
        tasks: 400,
        tile: 64,
        chains: 50,
    };
    let mut case =
        Case::new(platform, 2, WorkloadOptions::Vector(vector)).with_setting("threads", 1);
    case.op_limit = Some(Duration::from_millis(2500));
    case.run.clusters = Some(2);
    case.run.threads = Some(2);
    case.run.limits.block = Duration::from_millis(200);
    case.run.limits.handshake = Duration::from_millis(800);
    case.run.limits.scheduler = Duration::from_secs(1);
    case
}

/// What a case fails with, and how its capture ends.
fn failure(case: &Case) -> (String, Option<Outcome>) {
    let build = case.build().expect("built");
    let built = case.graph(&build).expect("a graph");
    let device = case.open(&build).expect("opens");
    let mut session = Session::open(device, &build, &case.session).expect("a session");
    let folder = Folder::new().expect("a folder");
    let mut options = case.run.clone();
    options.capture = Some(folder.path().to_owned());
    let error = session
        .run(&built.graph, &options)
        .expect_err("the run cannot end");
    let file = CaptureFile::open(folder.path().join(CAPTURE_FILE_NAME)).expect("a capture");
    let capture = file.read().expect("readable");
    let run = capture.runs().expect("decodes").pop().expect("one run");
    let outcome = run.verdict().map(|verdict| verdict.outcome);
    (lanescope_conformance::chain(&error), outcome)
}

#[test]
fn a_dead_core_and_a_kernel_that_never_ends_are_named_on_real_threads() {
    let _device = lanescope_conformance::exclusive();
    for platform in PLATFORMS {
        for (setting, core, phase) in [("dead-core", 5, "handshake"), ("hung-kernel", 3, "running")]
        {
            let (text, outcome) = failure(&short_limits(platform).with_setting(setting, core));
            let named = format!("core {core}");
            assert!(
                text.contains(&named) && text.contains(phase),
                "{platform}, {setting}: {text}"
            );
            assert_eq!(outcome, Some(Outcome::Partial), "{platform}, {setting}");
        }
        // The driver is whole again for whoever opens the device next.
        let vector = VectorOptions {
            tasks: 100,
            tile: 64,
            chains: 20,
        };
        let case =
            Case::new(platform, 2, WorkloadOptions::Vector(vector)).with_setting("threads", 1);
        let _ = case.run_exact();
    }
}
