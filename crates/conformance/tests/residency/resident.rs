//! A session that stays: it runs graph after graph, and knows what is due of each.

use crate::footprint::Footprint;
use lanescope::{
    CAPTURE_FILE_NAME, Collectors, Device, DumpOptions, LaneOptions, Outcome, PmuOptions, Policy,
    RunOptions, RunOutcome, Session, Stage, SwimlaneOptions, Token, VERDICT_FILE_NAME, Verdict,
};
use lanescope_capture::CaptureFile;
use lanescope_conformance::{
    Case, CaseResult, Finished, Folder, SimulatedDriver, chain, timeline, vector,
};
use lanescope_examples::{BgemmOptions, Built, WorkloadOptions};
use lanescope_trace::Trace;
use std::error::Error;
use std::sync::Arc;

/// Runs until the same kind comes again: what the lists below have together.
pub const CYCLE: usize = 60;
/// Which graph has one task.
const ONE_TASK: usize = 3;

/// A session that runs graph after graph, and what is expected of the next.
pub struct Resident {
    case: Case,
    driver: SimulatedDriver,
    device: Arc<dyn Device>,
    session: Session,
    graphs: Vec<Built>,
    folder: Folder,
    /// Runs that ended as they should, and others.
    succeeded: usize,
    failures: u32,
    /// Of the last run that ended as it should.
    last_run_id: u32,
    /// Runs that failed since; one that got as far as the device has had a number.
    failed: u32,
    /// The first token that each core is to get next.
    next_tokens: Vec<Token>,
}

impl Resident {
    /// Opens device 0 and a session on it.
    pub fn new(platform: &'static str, ring_size: u32) -> Result<Self, Box<dyn Error>> {
        let case = Case::new(platform, ring_size, vector(7));
        let build = case.build()?;
        let products = WorkloadOptions::Bgemm(BgemmOptions {
            batch: 2,
            m: 32,
            n: 32,
            k: 32,
            tile: 16,
        });
        let workloads = [vector(7), products, vector(90), vector(1)];
        let graphs = workloads.map(|workload| {
            let case = Case::new(platform, ring_size, workload);
            case.graph(&build)
        });
        let device = case.open(&build)?;
        let session = Session::open(Arc::clone(&device), &build, &case.session)?;
        let cores = session.chip().max_cores as usize;
        Ok(Self {
            driver: SimulatedDriver::of(&build),
            device,
            session,
            graphs: graphs.into_iter().collect::<Result<_, _>>()?,
            folder: Folder::new()?,
            succeeded: 0,
            failures: 0,
            last_run_id: 0,
            failed: 0,
            next_tokens: vec![case.session.first_token; cores],
            case,
        })
    }

    /// Another session in place of this one, on the same device: it counts from the start.
    pub fn replace_session(&mut self) -> CaseResult {
        let build = self.case.build()?;
        let device = Arc::clone(&self.device);
        // For a moment both are open.
        self.session = Session::open(device, &build, &self.case.session)?;
        self.last_run_id = 0;
        self.failed = 0;
        self.next_tokens.fill(self.case.session.first_token);
        Ok(())
    }

    /// Closes all there is, and finds nothing left; returns how many runs ended as they should.
    pub fn close(self) -> usize {
        let Self {
            driver,
            device,
            session,
            succeeded,
            ..
        } = self;
        drop((session, device));
        assert_eq!(driver.device_pid(0), -1, "still open");
        assert_eq!(driver.leaks(), 0);
        succeeded
    }

    /// What is held after a run that needs one host block; how many the others need depends on how
    /// fast they are written, and they stay for the next run of their shape.
    pub fn footprint(&mut self) -> Result<Footprint, Box<dyn Error>> {
        let options = RunOptions {
            collectors: Collectors::swimlane(1),
            // A shape that no other run has, so that the capture region is made anew.
            clusters: Some(4),
            threads: Some(1),
            capture: Some(self.folder.path().to_owned()),
            ..RunOptions::default()
        };
        self.succeed(ONE_TASK, &options)
            .map_err(|error| format!("a run of one task: {}", chain(&*error)))?;
        Footprint::take(&self.driver, 0)
    }

    /// The number-th run; every tenth is made to fail.
    pub fn step(&mut self, number: usize) -> CaseResult {
        let result = if number % 10 == 9 {
            self.fail(number)
        } else {
            self.succeed(number, &self.options(number))
        };
        result.map_err(|error| format!("run {number}: {}", chain(&*error)).into())
    }

    /// What the number-th run is asked for: each list has a length of its own.
    fn options(&self, number: usize) -> RunOptions {
        let clusters = [1, 3, 2, 8, 1][number % 5];
        let level = [2, 0, 4, 1][number % 4];
        let buffers = [None, Some(4), Some(8)][number % 3];
        let mut options = RunOptions {
            collectors: Collectors {
                swimlane: SwimlaneOptions {
                    level,
                    lanes: LaneOptions {
                        policy: [Policy::Block, Policy::DropNewest][number / 2 % 2],
                        buffers,
                        records_per_buffer: buffers.map(|_| 16),
                    },
                },
                pmu: [None, Some(PmuOptions::default()), None][number % 3],
                dump: (number % 5 % 2 == 1).then(|| DumpOptions {
                    arena_bytes: 256 << 10,
                    ..DumpOptions::default()
                }),
                ..Collectors::default()
            },
            clusters: Some(clusters),
            threads: Some([1, 2][number % 2].min(clusters)),
            ..RunOptions::default()
        };
        options.capture = (!options.collectors.is_empty()).then(|| self.folder.path().to_owned());
        options
    }

    fn succeed(&mut self, number: usize, options: &RunOptions) -> CaseResult {
        let built = &self.graphs[number % self.graphs.len()];
        let outcome = self.session.run(&built.graph, options)?;
        built.check(|tensor| self.session.read(tensor))?;
        let next_run_id = self.last_run_id + 1;
        let due = next_run_id..=next_run_id + self.failed;
        assert!(due.contains(&outcome.run_id), "run {number}: {due:?}");
        assert_eq!(outcome.verdict.run_id, outcome.run_id);
        assert_eq!(
            outcome.verdict.outcome,
            Outcome::Exact,
            "run {number}: {:?}",
            outcome.verdict.findings
        );
        self.last_run_id = outcome.run_id;
        self.failed = 0;
        self.succeeded += 1;
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
        if !options.collectors.is_empty() {
            self.check_capture(number, options, outcome)?;
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
        let tasks = built.graph.task_count();
        let collectors = &options.collectors;
        let due = if collectors.swimlane.level > 0 {
            tasks
        } else {
            0
        };
        assert_eq!(records, due, "run {number}");
        let trace = Trace::open(path)?;
        let due = if collectors.pmu.is_some() { tasks } else { 0 };
        assert_eq!(trace.pmu_rows().count(), due, "run {number}");
        let stages = built.graph.views().iter().flat_map(|(_, view)| {
            let stages = Stage::ALL.into_iter();
            stages.filter(|stage| view.role().has(*stage))
        });
        let due = collectors.dump.as_ref().map_or(0, |_| stages.count());
        let tensors = trace.tensors().filter(|row| trace.payload(row).is_some());
        assert_eq!(tensors.count(), due, "run {number}");
        let written = std::fs::read_to_string(path.join(VERDICT_FILE_NAME))?;
        let written: Verdict = serde_json::from_str(&written)?;
        assert_eq!(written, outcome.verdict);
        if options.collectors.swimlane.level >= 2 {
            let finished = Finished {
                trace,
                folder: Folder::new()?,
                task_count: built.graph.task_count() as u64,
                task_ids: built.graph.task_ids().collect(),
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
        options.collectors.swimlane.level = 2;
        options.capture = Some(self.folder.path().to_owned());
        let built = &self.graphs[number % self.graphs.len()];
        // A shape that no run before has, so that the capture region is made anew.
        options.clusters = Some(5 + self.failures % 2);
        self.failures += 1;
        self.failed += 1;
        let mut expect = |options: &RunOptions, expected: &str| -> CaseResult {
            let error = self.session.run(&built.graph, options).expect_err(expected);
            let text = chain(&error);
            assert!(text.contains(expected), "{expected}: {text}");
            assert!(!self.device.is_poisoned(), "{text}");
            Ok(())
        };
        match number / 10 % 6 {
            0 => {
                self.driver
                    .set("fail", "rtKernelLaunchWithHandleV2:1:207001");
                expect(&options, "rtKernelLaunchWithHandleV2")
            }
            1 => {
                // The cores run already, and are called back.
                self.driver.set("fail", "rtsLaunchCpuKernel:1:207001");
                expect(&options, "rtsLaunchCpuKernel")
            }
            2 => {
                self.driver.set("fail", "rtMalloc:1:207001");
                expect(&options, "rtMalloc")
            }
            3 => {
                self.driver.set("fail", "rtMemcpy:1:107000");
                expect(&options, "rtMemcpy")
            }
            4 => {
                options.capture = Some(self.folder.path().join("no such folder"));
                expect(&options, "cannot write")
            }
            _ => {
                options.threads = Some(u32::MAX);
                expect(&options, "threads")
            }
        }
    }
}
