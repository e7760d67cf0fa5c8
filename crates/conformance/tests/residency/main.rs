//! One opened device runs a thousand graphs, and opens again after every failure: nothing grows,
//! and each run is its own.
//!
//! The runs go round in a cycle that changes graph, level, shape of the launch, buffers and policy,
//! with failures of the host and the driver in between. What the process, the device process and
//! the driver hold is compared between two moments at the same place of the cycle. A thread of the
//! test program's own would spoil that, so the tests run one after the other on the main thread.

mod footprint;
mod resident;

use footprint::Footprint;
use lanescope::{RuntimeError, Session};
use lanescope_conformance::{Case, CaseResult, SimulatedDriver, chain, timeline, vector};
use lanescope_stress::{Effort, Numbers, Tried};
use libtest_mimic::{Arguments, Failed, Trial};
use resident::{CYCLE, Resident};
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;

const PLATFORMS: [&str; 2] = ["a2a3sim", "a5sim"];
/// Graphs that one opened device runs.
const RUNS: usize = 1000;
/// After as many runs, every kind of run has been there more than once.
const WARM_UP: usize = 4 * CYCLE;
/// Failed devices that are opened again.
const REOPENED: usize = 16;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let mut trials = Vec::new();
    let trial = |name: String, run: Box<dyn Fn() -> CaseResult + Send>| {
        Trial::test(name, move || {
            run().map_err(|error| Failed::from(chain(&*error)))
        })
    };
    trials.push(trial(
        "whatever_is_left_behind_is_seen".to_owned(),
        Box::new(whatever_is_left_behind_is_seen),
    ));
    for platform in PLATFORMS {
        let mut add = |name: &str, run: fn(&'static str) -> CaseResult| {
            let name = format!("{platform}::{name}");
            trials.push(trial(name, Box::new(move || run(platform))));
        };
        add(
            "a_thousand_graphs_leave_nothing_behind",
            a_thousand_graphs_leave_nothing_behind,
        );
        add(
            "a_device_that_failed_is_opened_again_and_nothing_grows",
            a_device_that_failed_is_opened_again_and_nothing_grows,
        );
    }
    trials.push(trial(
        "any_order_of_runs_is_exact".to_owned(),
        Box::new(any_order_of_runs_is_exact),
    ));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The tests below can fail: each kind of thing that stays shows in the footprint.
fn whatever_is_left_behind_is_seen() -> CaseResult {
    let case = Case::new("a2a3sim", 2, vector(7));
    let build = case.build()?;
    let driver = SimulatedDriver::of(&build);
    let device = case.open(&build)?;
    let before = Footprint::take(&driver, 0)?;
    let growth = |expected: &[&str]| -> CaseResult {
        let growth = Footprint::take(&driver, 0)?.growth(&before).join("; ");
        let is_seen = |name: &&str| growth.contains(&format!("{name}: "));
        assert!(expected.iter().all(is_seen), "{expected:?}: {growth}");
        assert!(!growth.is_empty() || expected.is_empty());
        Ok(())
    };
    growth(&[])?;
    let heap = black_box(vec![1u8; 64 << 10]);
    growth(&["host heap bytes"])?;
    let pages = black_box(vec![1u8; 64 << 20]);
    growth(&["host resident bytes"])?;
    let file = std::fs::File::open("/proc/self/statm")?;
    growth(&["host files"])?;
    std::thread::scope(|scope| {
        let (end, ended) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || ended.recv());
        let seen = growth(&["host threads"]);
        drop(end);
        seen
    })?;
    let memory = device.allocate(8192)?;
    let mapping = device.map(&memory, 8192)?;
    growth(&["bytes", "allocations", "registrations"])?;
    device.load_programs(&build.programs()?)?;
    growth(&["programs"])?;
    let again = case.open(&build)?;
    growth(&["streams"])?;
    drop((heap, pages, file, mapping, memory, again, device));
    assert_eq!(driver.leaks(), 0);
    Ok(())
}

fn a_thousand_graphs_leave_nothing_behind(platform: &'static str) -> CaseResult {
    let mut resident = Resident::new(platform, 2)?;
    for number in 0..WARM_UP {
        resident.step(number)?;
    }
    let warm = resident.footprint()?;
    let rest = (RUNS - WARM_UP).next_multiple_of(CYCLE);
    for number in WARM_UP..WARM_UP + rest {
        resident.step(number)?;
    }
    let end = resident.footprint()?;
    let growth = end.growth(&warm);
    assert!(
        growth.is_empty(),
        "after {rest} more runs: {}; at first {warm:?}",
        growth.join("; ")
    );
    // The two runs before a look at what is held are among them.
    assert_eq!(resident.close(), (WARM_UP + rest) / 10 * 9 + 2);
    Ok(())
}

fn a_device_that_failed_is_opened_again_and_nothing_grows(platform: &'static str) -> CaseResult {
    // One cluster: core 2 is a vector core, and has tasks.
    let mut case = Case::new(platform, 2, vector(40));
    case.run.clusters = Some(1);
    let build = case.build()?;
    let built = case.graph(&build)?;
    let driver = SimulatedDriver::of(&build);
    let mut warm = None;
    for round in 0..REOPENED {
        let device = case.open(&build)?;
        let mut session = Session::open(Arc::clone(&device), &build, &case.session)?;
        let finished = case.run_in(&mut session, &built)?;
        let faults = timeline::faults(&finished);
        assert!(faults.is_empty(), "round {round}: {faults:?}");
        assert_eq!(finished.outcome.run_id, 1);
        // Open, and after a run that is always the same.
        let now = Footprint::take(&driver, 0)?;
        match &warm {
            None if round < REOPENED / 2 => {}
            None => warm = Some(now),
            Some(warm) => {
                let growth = now.growth(warm);
                assert!(growth.is_empty(), "round {round}: {}", growth.join("; "));
            }
        }
        let (setting, expected) =
            [("dead-core", "handshake"), ("hung-kernel", "core 2")][round % 2];
        driver.set(setting, "2");
        let error = case.run_in(&mut session, &built);
        driver.set(setting, "off");
        let Err(error) = error else {
            panic!("round {round}: core 2 answers in spite of {setting}");
        };
        let Some(error) = error.downcast_ref::<RuntimeError>() else {
            panic!("round {round}: {}", chain(&*error));
        };
        let text = chain(error);
        assert!(text.contains("core 2") && text.contains(expected), "{text}");
        assert!(device.is_poisoned());
    }
    assert_eq!(driver.leaks(), 0);
    Ok(())
}

/// Sessions come and go on one device, and every kind of run follows on every other.
fn any_order_of_runs_is_exact() -> CaseResult {
    const RING_SIZES: [u32; 5] = [1, 2, 4, 8, 16];
    let effort = Effort::new("any_order_of_runs_is_exact", 6);
    while let Some(seed) = effort.next_seed() {
        let mut random = Numbers::new(seed);
        let platform = PLATFORMS[random.below(2)];
        let ring_size = RING_SIZES[random.below(5)];
        let mut run = || -> CaseResult {
            let mut resident = Resident::new(platform, ring_size)?;
            for _ in 0..30 {
                if random.below(8) == 0 {
                    resident.replace_session()?;
                }
                resident.step(random.below(CYCLE))?;
                effort.add(Tried::Runs, 1);
            }
            resident.close();
            Ok(())
        };
        if let Err(error) = run() {
            let text = chain(&*error);
            panic!("seed {seed}, {platform}, ring size {ring_size}: {text}");
        }
    }
    Ok(())
}
