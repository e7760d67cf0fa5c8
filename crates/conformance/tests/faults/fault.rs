//! A run that is to go wrong: what it ended in, and that nothing of it is left behind.

use lanescope::{Build, Kind, RunOptions, Session};
use lanescope_capture::{
    CAPTURE_FILE_NAME, CaptureFile, Counts, FindingKind, Outcome, VERDICT_FILE_NAME, Verdict,
};
use lanescope_conformance::{Case, Finished, Folder, SimulatedDriver, chain, timeline};
use lanescope_trace::Trace;
use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Longest wait for what ends by itself, such as a thread that has been joined.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tests of this program that have begun and not ended.
static TESTS: AtomicUsize = AtomicUsize::new(0);

/// The right to open a device.
pub struct Alone {
    _device: MutexGuard<'static, ()>,
}

/// Waits until no other test has a device open.
pub fn alone() -> Alone {
    TESTS.fetch_add(1, Ordering::SeqCst);
    Alone {
        _device: lanescope_conformance::exclusive(),
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        TESTS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A run that was tried.
pub struct Ran {
    case: String,
    /// What it returned, when it ended in order.
    pub finished: Option<Finished>,
    /// The error it ended in, when it did not.
    pub error: Option<String>,
    /// The verdict in its capture; `None` when it did not get as far as a capture.
    pub verdict: Option<Verdict>,
    /// The decoded capture.
    pub trace: Option<Trace>,
    /// How many tasks its graph has.
    pub task_count: u64,
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            case,
            error,
            verdict,
            ..
        } = self;
        write!(f, "{case}: {error:?}, {verdict:#?}")
    }
}

/// What a run may do while it goes on: told the device process when the run is about to start.
pub type Meanwhile<'a> = &'a mut dyn FnMut(i32);

/// Runs a case from open to close, and checks that it leaves nothing behind but its capture.
pub fn run(case: &Case) -> Ran {
    run_with(case, &mut |_| {})
}

/// As [`run`]; calls `meanwhile` just before the graph is started.
pub fn run_with(case: &Case, meanwhile: Meanwhile<'_>) -> Ran {
    let build = case.build().expect("built");
    let driver = SimulatedDriver::of(&build);
    let leaks = driver.leaks();
    let folder = Folder::new().expect("a folder");
    let before = Resources::now();
    let begin = Instant::now();
    let (result, pid) = try_run(case, &build, &driver, folder.path(), meanwhile);
    let elapsed = begin.elapsed();
    let what = format!("{case:?}");
    before.await_return(&what);
    assert_eq!(driver.leaks(), leaks, "{what}: leaked device objects");
    if let Some(pid) = pid {
        let process = format!("/proc/{pid}");
        assert!(
            !Path::new(&process).exists(),
            "{what}: {process} is still there"
        );
    }
    let limit = case.run.limits.sync;
    assert!(elapsed < limit, "{what}: took {elapsed:?} of {limit:?}");
    collect(case, what, result, folder)
}

type Tried = Result<(lanescope::RunOutcome, u64), String>;

fn try_run(
    case: &Case,
    build: &Build,
    driver: &SimulatedDriver,
    folder: &Path,
    meanwhile: Meanwhile<'_>,
) -> (Tried, Option<i32>) {
    let built = case.graph(build).expect("a graph");
    let device = match case.open(build) {
        Ok(device) => device,
        Err(error) => return (Err(chain(&error)), None),
    };
    let pid = driver.device_pid(0);
    let mut session = match Session::open(device, build, &case.session) {
        Ok(session) => session,
        Err(error) => return (Err(chain(&error)), Some(pid)),
    };
    let options = RunOptions {
        capture: Some(folder.to_owned()),
        ..case.run.clone()
    };
    meanwhile(pid);
    let outcome = match session.run(&built.graph, &options) {
        Ok(outcome) => outcome,
        Err(error) => return (Err(chain(&error)), Some(pid)),
    };
    // A call that was to fail and has not been made must not be one of the check's own.
    driver.set("fail", "off");
    built
        .check(|tensor| session.read(tensor))
        .unwrap_or_else(|error| panic!("{case:?}: wrong numbers: {error}"));
    (Ok((outcome, built.graph.edge_count() as u64)), Some(pid))
}

fn collect(case: &Case, what: String, result: Tried, folder: Folder) -> Ran {
    let build = case.build().expect("built");
    let graph = case.graph(&build).expect("a graph").graph;
    let task_count = graph.task_count() as u64;
    let file = folder.path().join(CAPTURE_FILE_NAME);
    let verdict = read_verdict(folder.path());
    let trace = file.exists().then(|| Trace::open(folder.path()));
    let trace = trace.map(|trace| trace.unwrap_or_else(|error| panic!("{what}: {error}")));
    let (finished, error) = match (result, &verdict) {
        (Ok((outcome, edge_count)), Some(verdict)) => {
            assert_eq!(&outcome.verdict, verdict, "{what}: two verdicts");
            let trace = Trace::open(folder.path()).expect("it did just now");
            let finished = Finished {
                outcome,
                trace,
                folder,
                task_count,
                task_ids: graph.task_ids().collect(),
                edge_count,
            };
            (Some(finished), None)
        }
        (Ok(_), None) => panic!("{what}: no capture of a run that ended in order"),
        (Err(error), _) => (None, Some(error)),
    };
    let ran = Ran {
        case: what,
        finished,
        error,
        verdict,
        trace,
        task_count,
    };
    ran.check_records();
    ran
}

/// The verdict in the capture, if there is one; the file beside it must say the same. A run that
/// failed before anything was launched leaves none.
fn read_verdict(folder: &Path) -> Option<Verdict> {
    let beside = std::fs::read_to_string(folder.join(VERDICT_FILE_NAME)).ok()?;
    let file = CaptureFile::open(folder.join(CAPTURE_FILE_NAME)).expect("a capture");
    let capture = file.read().expect("readable");
    let run = capture.runs().expect("decodes").pop().expect("one run");
    let verdict = run.verdict().expect("a verdict").clone();
    assert_eq!(beside, verdict.to_json(), "two verdicts");
    Some(verdict)
}

impl Ran {
    /// The verdict of a run that ended in order.
    pub fn finished(&self) -> &Verdict {
        match &self.finished {
            Some(finished) => &finished.outcome.verdict,
            None => panic!("a run that ends in order was expected: {self}"),
        }
    }

    /// The error of a run that began and did not end in order, and the verdict it left behind.
    pub fn failed(&self) -> (&str, &Verdict) {
        match (&self.error, &self.verdict) {
            (Some(error), Some(verdict)) => {
                assert_eq!(verdict.outcome, Outcome::Partial, "{self}");
                assert_eq!(verdict.exit_code(), 2);
                (error, verdict)
            }
            _ => panic!("a run that fails was expected: {self}"),
        }
    }

    /// Everything about it must be as without a fault.
    pub fn assert_exact(&self) {
        self.finished();
        let faults = self.finished.as_ref().map(timeline::faults);
        assert_eq!(faults, Some(Vec::new()), "{self}");
    }

    /// How many items the findings of a kind concern.
    pub fn found(&self, kind: FindingKind) -> u64 {
        let findings = self.verdict.iter().flat_map(|verdict| &verdict.findings);
        let of_kind = findings.filter(|found| found.kind == kind);
        of_kind.map(|found| found.count.max(1)).sum()
    }

    /// Whether every record that was committed is in the capture or counted as lost.
    pub fn is_accounted_for(&self) -> bool {
        let counts = self.verdict.iter().flat_map(|verdict| &verdict.cores);
        let mut counts = counts.map(|core| &core.counts);
        counts.all(|counts| counts.accounted() == counts.total)
    }

    /// Whatever went wrong: what is in an honest capture is right, and is there once.
    fn check_records(&self) {
        let Some(trace) = &self.trace else {
            return;
        };
        let Some(verdict) = &self.verdict else {
            assert_eq!(trace.task_count(), 0, "{self}");
            return;
        };
        if verdict.outcome != Outcome::Broken {
            let mut keys = HashSet::new();
            for task in trace.tasks() {
                let is_new = keys.insert((task.core, task.token));
                assert!(is_new, "{self}: {task:?} is there twice");
                let ticks = [
                    task.dispatch_ticks,
                    task.receive_ticks,
                    task.start_ticks,
                    task.end_ticks,
                    task.finish_ticks,
                ];
                let is_right = ticks[0] != 0 && ticks.is_sorted() && task.task_id < self.task_count;
                assert!(is_right, "{self}: {task:?}");
            }
        }
        if verdict.outcome == Outcome::Exact {
            self.assert_exact();
        }
        if matches!(verdict.outcome, Outcome::Exact | Outcome::Lossy) {
            assert!(self.is_accounted_for(), "{self}");
            let counts_of = |kind: Kind| {
                let kind = verdict.kinds.iter().find(|counts| counts.kind == kind);
                kind.map(|kind| kind.counts)
            };
            let tasks = counts_of(Kind::TASK).unwrap_or(verdict.totals);
            assert_eq!(tasks.total, self.task_count, "{self}");
            assert_eq!(trace.task_count(), tasks.collected, "{self}");
            self.check_counters(trace, counts_of(Kind::PMU));
            self.check_tensors(trace, counts_of(Kind::TENSOR));
        }
        assert_eq!(
            verdict.outcome == Outcome::Partial,
            self.error.is_some(),
            "{self}"
        );
    }
}

impl Ran {
    /// Every task has its own counters, once.
    fn check_counters(&self, trace: &Trace, counts: Option<Counts>) {
        let Some(counts) = counts else { return };
        assert_eq!(counts.total, self.task_count, "{self}");
        let mut keys = HashSet::new();
        for row in trace.pmu_rows() {
            let is_new = keys.insert((row.core, row.token));
            assert!(is_new && row.task_id < self.task_count, "{self}: {row:?}");
        }
        assert_eq!(keys.len() as u64, counts.collected, "{self}");
    }

    /// Every tensor is there once, with the bytes the device wrote.
    fn check_tensors(&self, trace: &Trace, counts: Option<Counts>) {
        let Some(counts) = counts else { return };
        let mut keys = HashSet::new();
        for row in trace.tensors() {
            let is_new = keys.insert((row.task_id, row.arg_index, row.stage));
            assert!(is_new && trace.payload(&row).is_some(), "{self}: {row:?}");
        }
        assert_eq!(keys.len() as u64, counts.collected, "{self}");
    }
}

/// What a process has of what runs out.
#[derive(Debug)]
struct Resources {
    files: usize,
    threads: usize,
}

impl Resources {
    fn now() -> Self {
        let entries = |of: &str| std::fs::read_dir(of).expect("Linux").count();
        Self {
            files: entries("/proc/self/fd"),
            threads: entries("/proc/self/task").saturating_sub(TESTS.load(Ordering::SeqCst)),
        }
    }

    /// Waits until there is no more in use than before.
    fn await_return(&self, what: &str) {
        let begin = Instant::now();
        loop {
            let now = Self::now();
            if now.files <= self.files && now.threads <= self.threads {
                return;
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "{what}: {now:?} in use, {self:?} before"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
