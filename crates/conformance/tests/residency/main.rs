//! One opened device runs a thousand graphs, and opens again after every failure: nothing grows,
//! and each run is its own.
//!
//! The runs go round in a cycle that changes graph, level, shape of the launch, buffers and policy,
//! with failures of the host and the driver in between. What the process, the device process and
//! the driver hold is compared between two moments at the same place of the cycle. A thread of the
//! test program's own would spoil that, so the tests run one after the other on the main thread.

mod footprint;

use footprint::Footprint;
use lanescope::{
    CAPTURE_FILE_NAME, Device, Outcome, Policy, RunOptions, RunOutcome, RuntimeError, Session,
    Token, VERDICT_FILE_NAME, Verdict,
};
use lanescope_capture::CaptureFile;
use lanescope_conformance::{
    Case, CaseResult, Finished, Folder, SimulatedDriver, chain, timeline, vector,
};
use lanescope_examples::{BgemmOptions, Built, WorkloadOptions};
use lanescope_trace::Trace;
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

const PLATFORMS: [&str; 2] = ["a2a3sim", "a5sim"];
/// Graphs that one opened device runs.
const RUNS: usize = 1000;
/// After as many runs, every kind of run has been there more than once.
const WARM_UP: usize = 4 * CYCLE;
/// Runs until the same kind comes again: what the lists below have together.
const CYCLE: usize = 60;
/// Failed devices that are opened again.
const REOPENED: usize = 16;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let mut trials = Vec::new();
    for platform in PLATFORMS {
        let mut add = |name: &str, run: fn(&'static str) -> CaseResult| {
            let run = move || run(platform).map_err(|error| Failed::from(chain(&*error)));
            trials.push(Trial::test(format!("{platform}::{name}"), run));
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
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn a_thousand_graphs_leave_nothing_behind(platform: &'static str) -> CaseResult {
    let mut resident = Resident::new(platform)?;
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
    assert!(resident.run_ids.len() >= RUNS / 10 * 9);
    drop(resident.session);
    drop(resident.device);
    assert_eq!(resident.driver.leaks(), 0);
    Ok(())
}

/// A session that runs graph after graph, and what is expected of the next.
struct Resident {
    driver: SimulatedDriver,
    device: Arc<dyn Device>,
    session: Session,
    graphs: Vec<Built>,
    folder: Folder,
    /// Those of every run that has ended.
    run_ids: BTreeSet<u32>,
    last_run_id: u32,
    /// The first token that each core is to get next.
    next_tokens: Vec<Token>,
}

impl Resident {
    fn new(platform: &'static str) -> Result<Self, Box<dyn std::error::Error>> {
        let case = Case::new(platform, 2, vector(7));
        let build = case.build()?;
        let products = WorkloadOptions::Bgemm(BgemmOptions {
            batch: 2,
            m: 32,
            n: 32,
            k: 32,
            tile: 16,
        });
        let workloads = [vector(7), products, vector(90), vector(1)];
        let graphs = workloads.map(|workload| Case::new(platform, 2, workload).graph(&build));
        let device = case.open(&build)?;
        let session = Session::open(Arc::clone(&device), &build, &case.session)?;
        let cores = session.chip().max_cores as usize;
        Ok(Self {
            driver: SimulatedDriver::of(&build),
            device,
            session,
            graphs: graphs.into_iter().collect::<Result<_, _>>()?,
            folder: Folder::new()?,
            run_ids: BTreeSet::new(),
            last_run_id: 0,
            next_tokens: vec![case.session.first_token; cores],
        })
    }

    fn footprint(&self) -> Result<Footprint, Box<dyn std::error::Error>> {
        Footprint::take(&self.driver, 0)
    }

    /// The number-th run; every tenth is made to fail.
    fn step(&mut self, number: usize) -> CaseResult {
        let result = if number % 10 == 9 {
            self.fail(number)
        } else {
            self.succeed(number)
        };
        result.map_err(|error| format!("run {number}: {}", chain(&*error)).into())
    }

    /// What the number-th run is asked for: each list has a length of its own.
    fn options(&self, number: usize) -> RunOptions {
        let clusters = [1, 3, 2, 8, 1][number % 5];
        let level = [2, 0, 4, 1][number % 4];
        let buffers = [None, Some(4), Some(8)][number % 3];
        RunOptions {
            level,
            clusters: Some(clusters),
            threads: Some([1, 2][number % 2].min(clusters)),
            buffers,
            records_per_buffer: buffers.map(|_| 16),
            policy: [Policy::Block, Policy::DropNewest][number / 2 % 2],
            capture: (level > 0).then(|| self.folder.path().to_owned()),
            ..RunOptions::default()
        }
    }

    fn succeed(&mut self, number: usize) -> CaseResult {
        let options = self.options(number);
        let built = &self.graphs[number % self.graphs.len()];
        let outcome = self.session.run(&built.graph, &options)?;
        built.check(|tensor| self.session.read(tensor))?;
        assert_eq!(outcome.run_id, self.last_run_id + 1, "run {number}");
        assert_eq!(outcome.verdict.run_id, outcome.run_id);
        assert_eq!(
            outcome.verdict.outcome,
            Outcome::Exact,
            "run {number}: {:?}",
            outcome.verdict.findings
        );
        self.last_run_id = outcome.run_id;
        assert!(self.run_ids.insert(outcome.run_id));
        let dispatched: u64 = outcome.dispatched.iter().sum();
        assert_eq!(dispatched, built.graph.task_count() as u64);
        for (core, (first, dispatched)) in outcome
            .first_tokens
            .iter()
            .zip(&outcome.dispatched)
            .enumerate()
        {
            let next = &mut self.next_tokens[core];
            assert_eq!(*first, next.raw(), "run {number}, core {core}");
            *next = next.advance(*dispatched);
        }
        if options.level > 0 {
            self.check_capture(number, &options, outcome)?;
        }
        Ok(())
    }

    /// The capture holds this run alone, and all of it.
    fn check_capture(
        &self,
        number: usize,
        options: &RunOptions,
        outcome: RunOutcome,
    ) -> CaseResult {
        let path = self.folder.path();
        let file = CaptureFile::open(path.join(CAPTURE_FILE_NAME))?;
        let capture = file.read()?;
        assert_eq!(capture.run_ids(), [outcome.run_id], "run {number}");
        let run = capture.runs()?.pop().expect("one run");
        assert!(run.is_ended());
        let mut records = 0;
        for record in run.task_records().flatten() {
            assert_eq!(record.run_id, outcome.run_id, "run {number}");
            records += 1;
        }
        let built = &self.graphs[number % self.graphs.len()];
        assert_eq!(records, built.graph.task_count(), "run {number}");
        let written = std::fs::read_to_string(path.join(VERDICT_FILE_NAME))?;
        let written: Verdict = serde_json::from_str(&written)?;
        assert_eq!(written, outcome.verdict);
        if options.level >= 2 {
            let finished = Finished {
                trace: Trace::open(path)?,
                folder: Folder::new()?,
                task_count: built.graph.task_count() as u64,
                edge_count: built.graph.edge_count() as u64,
                outcome,
            };
            let faults = timeline::faults(&finished);
            assert!(faults.is_empty(), "run {number}: {faults:?}");
        }
        Ok(())
    }

    /// A run that is refused on its way; nothing of it is dispatched, so the tokens stay.
    fn fail(&mut self, number: usize) -> CaseResult {
        let mut options = self.options(number);
        options.level = 2;
        options.capture = Some(self.folder.path().to_owned());
        let built = &self.graphs[number % self.graphs.len()];
        // A shape that no run has, so that control and capture region are made anew.
        options.clusters = Some(5);
        let mut expect = |options: &RunOptions, expected: &str, has_number: bool| -> CaseResult {
            let error = self.session.run(&built.graph, options).expect_err(expected);
            let text = chain(&error);
            assert!(text.contains(expected), "{expected}: {text}");
            assert!(!self.device.is_poisoned(), "{text}");
            self.last_run_id += u32::from(has_number);
            Ok(())
        };
        match number / 10 % 6 {
            0 => {
                self.driver
                    .set("fail", "rtKernelLaunchWithHandleV2:1:207001");
                expect(&options, "rtKernelLaunchWithHandleV2", true)
            }
            1 => {
                // The cores run already, and are called back.
                self.driver.set("fail", "rtsLaunchCpuKernel:1:207001");
                expect(&options, "rtsLaunchCpuKernel", true)
            }
            2 => {
                self.driver.set("fail", "rtMalloc:1:207001");
                expect(&options, "rtMalloc", true)
            }
            3 => {
                self.driver.set("fail", "rtMemcpy:1:107000");
                expect(&options, "rtMemcpy", false)
            }
            4 => {
                options.capture = Some(self.folder.path().join("no such folder"));
                expect(&options, "cannot write", true)
            }
            _ => {
                options.threads = Some(u32::MAX);
                expect(&options, "threads", false)
            }
        }
    }
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
