//! Every call of the driver failing in each step that makes it: an error that names it or a known
//! tolerance, nothing left behind, and a device that opens again.

use lanescope::{
    Build, CAPTURE_FILE_NAME, Collectors, DumpOptions, LaneOptions, LaunchForm, Limits,
    OpenOptions, Outcome, PmuOptions, Policy, RunOptions, Session, SessionOptions, SwimlaneOptions,
};
use lanescope_capture::CaptureFile;
use lanescope_conformance::{Folder, Resources, SimulatedDriver, build_folder, chain, exclusive};
use lanescope_examples::{Built, Target, VectorOptions, WorkloadOptions};
use lanescope_stress::{Effort, Numbers, Tried};
use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

/// What a failing call is expected to come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Opening, running or reading fails with an error that names the call and its code.
    Error,
    /// The work gets to its end, every number and record right.
    Exact,
    /// As `Exact`, and the objects that the driver refused to take back stay with it.
    Kept(u64),
    /// As `Error` or `Exact`: what some threads do can fail without harm.
    ErrorOrExact,
}

/// A call with the codes it is known to return, each with its name.
struct Row {
    call: &'static str,
    codes: &'static [(i64, &'static str)],
    end: End,
}

const DRV_INTERNAL: (i64, &str) = (507_899, "DRV_INTERNAL");
const PARAM_INVALID: (i64, &str) = (107_000, "PARAM_INVALID");
const CONTEXT_NULL: (i64, &str) = (107_002, "CONTEXT_NULL");
const MEMORY_ALLOCATION: (i64, &str) = (207_001, "MEMORY_ALLOCATION");
const INVALID_HANDLE: (i64, &str) = (107_017, "INVALID_HANDLE");
const INVALID_VALUE: (i64, &str) = (3, "INVALID_VALUE");
const BUSY: (i64, &str) = (13, "BUSY");
const NOT_SUPPORT: (i64, &str) = (0xfffe, "NOT_SUPPORT");

/// Every call that a session makes. What is missing here is found by the sweep itself.
const ROWS: &[Row] = &[
    Row {
        call: "rtSetDevice",
        codes: &[
            DRV_INTERNAL,
            (107_001, "INVALID_DEVICEID"),
            (507_033, "DEV_SETUP_ERROR"),
        ],
        // The thread that only watches the status lines is done without.
        end: End::ErrorOrExact,
    },
    Row {
        call: "rtDeviceReset",
        codes: &[DRV_INTERNAL],
        end: End::Exact,
    },
    Row {
        call: "rtMalloc",
        codes: &[DRV_INTERNAL, MEMORY_ALLOCATION, CONTEXT_NULL],
        end: End::Error,
    },
    Row {
        call: "rtFree",
        codes: &[DRV_INTERNAL, PARAM_INVALID],
        end: End::Kept(1),
    },
    Row {
        call: "rtMemcpy",
        codes: &[
            DRV_INTERNAL,
            PARAM_INVALID,
            CONTEXT_NULL,
            (107_022, "DEVICE_TASK_ABORT"),
        ],
        end: End::ErrorOrExact,
    },
    Row {
        call: "rtStreamCreate",
        codes: &[DRV_INTERNAL, CONTEXT_NULL, (207_008, "NO_STREAM_RESOURCE")],
        end: End::Error,
    },
    Row {
        call: "rtStreamDestroy",
        codes: &[
            DRV_INTERNAL,
            (507_901, "HDC_DISCONNECT"),
            (107_003, "STREAM_CONTEXT"),
        ],
        end: End::Kept(1),
    },
    Row {
        call: "rtStreamSynchronizeWithTimeout",
        codes: &[
            DRV_INTERNAL,
            (507_046, "not done after"),
            (507_000, "INTERNAL"),
            (507_014, "AICORE_TIMEOUT"),
            (507_015, "AICORE_EXCEPTION"),
            (507_017, "AICPU_TIMEOUT"),
            (507_018, "AICPU_EXCEPTION"),
            (107_003, "STREAM_CONTEXT"),
        ],
        end: End::Error,
    },
    Row {
        call: "rtRegisterAllKernel",
        codes: &[DRV_INTERNAL, PARAM_INVALID, MEMORY_ALLOCATION],
        end: End::Error,
    },
    Row {
        call: "rtDevBinaryUnRegister",
        codes: &[DRV_INTERNAL, INVALID_HANDLE],
        end: End::Kept(1),
    },
    Row {
        call: "rtKernelLaunchWithHandleV2",
        codes: &[DRV_INTERNAL, PARAM_INVALID, MEMORY_ALLOCATION],
        end: End::Error,
    },
    Row {
        call: "rtAicpuKernelLaunchExWithArgs",
        codes: &[DRV_INTERNAL, PARAM_INVALID, MEMORY_ALLOCATION],
        end: End::Error,
    },
    Row {
        call: "rtsBinaryLoadFromFile",
        codes: &[DRV_INTERNAL, PARAM_INVALID],
        end: End::Error,
    },
    Row {
        call: "rtsBinaryUnload",
        codes: &[DRV_INTERNAL, INVALID_HANDLE],
        end: End::Kept(1),
    },
    Row {
        call: "rtsFuncGetByName",
        codes: &[DRV_INTERNAL, PARAM_INVALID, (507_027, "KERNEL_LOOKUP")],
        end: End::Error,
    },
    Row {
        call: "rtsLaunchCpuKernel",
        codes: &[DRV_INTERNAL, PARAM_INVALID, MEMORY_ALLOCATION],
        end: End::Error,
    },
    Row {
        call: "halHostRegister",
        codes: &[INVALID_VALUE, BUSY, (8, "PARA_ERROR"), NOT_SUPPORT],
        end: End::Error,
    },
    Row {
        call: "halHostUnregister",
        codes: &[INVALID_VALUE, BUSY, (11, "NOT_EXIST")],
        // The memory behind a view that the driver keeps is not freed under it.
        end: End::Kept(2),
    },
    Row {
        call: "halMemCtl",
        codes: &[
            INVALID_VALUE,
            (4, "INVALID_HANDLE"),
            (42, "PROCESS_EXIT"),
            NOT_SUPPORT,
        ],
        end: End::Error,
    },
    Row {
        call: "halMemCtl",
        // Another process that opens the device: asked again.
        codes: &[BUSY],
        end: End::Exact,
    },
    Row {
        call: "halResMap",
        codes: &[
            INVALID_VALUE,
            BUSY,
            (7, "INNER_ERR"),
            (8, "PARA_ERROR"),
            (62, "NO_PROCESS"),
            NOT_SUPPORT,
        ],
        end: End::Error,
    },
    Row {
        call: "halResUnmap",
        // A window is the device's own: its reset takes it back.
        codes: &[INVALID_VALUE, BUSY, (11, "NOT_EXIST")],
        end: End::Exact,
    },
    Row {
        call: "halGetDeviceInfo",
        // Counts of the chip are taken instead.
        codes: &[INVALID_VALUE, BUSY, NOT_SUPPORT],
        end: End::Exact,
    },
    Row {
        call: "halGetDeviceInfoByBuff",
        codes: &[INVALID_VALUE, BUSY, NOT_SUPPORT],
        end: End::Exact,
    },
    Row {
        call: "aclrtSetOpExecuteTimeOutV2",
        codes: &[DRV_INTERNAL, (507_000, "INTERNAL"), CONTEXT_NULL],
        end: End::Error,
    },
    Row {
        call: "aclrtSetOpExecuteTimeOutV2",
        // A driver without the feature has a limit of its own.
        codes: &[(207_000, "FEATURE_NOT_SUPPORT")],
        end: End::Exact,
    },
    Row {
        call: "aclrtGetSocName",
        codes: &[DRV_INTERNAL],
        end: End::Exact,
    },
];

/// One platform in one launch form.
struct Bench {
    platform: &'static str,
    form: LaunchForm,
    collectors: Collectors,
    build: Build,
    built: Built,
    driver: SimulatedDriver,
}

/// Small lanes, so that each is drained several times.
const LANES: LaneOptions = LaneOptions {
    policy: Policy::Block,
    buffers: Some(4),
    records_per_buffer: Some(8),
};

fn swimlane() -> Collectors {
    Collectors {
        swimlane: SwimlaneOptions {
            level: 2,
            lanes: LANES,
        },
        ..Collectors::default()
    }
}

/// The swimlane, counters and tensors.
fn everything() -> Collectors {
    Collectors {
        pmu: Some(PmuOptions {
            lanes: LANES,
            ..PmuOptions::default()
        }),
        dump: Some(DumpOptions {
            arena_bytes: 16 << 10,
            lanes: LANES,
            ..DumpOptions::default()
        }),
        ..swimlane()
    }
}

/// One fault: the `nth` call of `call` returns `code`.
#[derive(Clone, Copy)]
struct Fault<'a> {
    row: &'a Row,
    nth: u64,
    code: (i64, &'static str),
}

impl fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.row.call, self.nth, self.code.0)
    }
}

/// What a cycle does, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Open,
    Load,
    Run,
    Read,
    Close,
}

/// The order of the steps.
const STEPS: [Step; 5] = [Step::Open, Step::Load, Step::Run, Step::Read, Step::Close];

/// How a cycle ended, and in which step.
struct Cycle {
    ended: Result<lanescope::RunOutcome, String>,
    step: Step,
    folder: Folder,
}

impl Bench {
    fn new(platform: &'static str, form: LaunchForm, collectors: Collectors) -> Self {
        let build = Build::open(build_folder(platform, 2)).expect("built");
        let workload = WorkloadOptions::Vector(VectorOptions {
            tasks: 24,
            tile: 16,
            chains: 6,
        });
        let target = Target {
            kernels: &build,
            chip: build.chip().info(),
        };
        let built = workload.open().expect("opens").build(&target);
        let built = built.expect("a graph");
        Self {
            platform,
            form,
            collectors,
            driver: SimulatedDriver::of(&build),
            build,
            built,
        }
    }

    /// Opens, loads, runs, reads and closes once, with the setting `fail` as given.
    fn cycle(&self, fail: &str) -> Cycle {
        self.cycle_told(fail, &mut |_| ())
    }

    /// As [`Self::cycle`]; `told` hears of each step before it begins.
    fn cycle_told(&self, fail: &str, told: &mut dyn FnMut(Step)) -> Cycle {
        let folder = Folder::new().expect("a folder");
        let mut step = Step::Open;
        let mut begin = |next| {
            told(next);
            step = next;
        };
        let ended = self
            .try_cycle(fail, &folder, &mut begin)
            .map_err(|error| chain(&*error));
        Cycle {
            ended,
            step,
            folder,
        }
    }

    fn try_cycle(
        &self,
        fail: &str,
        folder: &Folder,
        begin: &mut dyn FnMut(Step),
    ) -> Result<lanescope::RunOutcome, Box<dyn Error>> {
        let settings = [
            ("seed", "off"),
            ("dead-core", "off"),
            ("fail", "off"),
            ("fail", fail),
            // A lane whose copy failed gets no buffer back: the run ends long before the session's limit.
            ("host-patience", "1000"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let options = OpenOptions {
            driver_settings: settings.into(),
            launch_form: Some(self.form),
            op_limit: Some(Duration::from_secs(5)),
            ..OpenOptions::default()
        };
        begin(Step::Open);
        let device = lanescope::platform(self.platform)?.open(&self.build, options)?;
        begin(Step::Load);
        let mut session = Session::open(device, &self.build, &SessionOptions::default())?;
        let options = RunOptions {
            collectors: self.collectors.clone(),
            threads: Some(2),
            clusters: Some(2),
            limits: Limits {
                block: Duration::from_millis(500),
                handshake: Duration::from_secs(1),
                scheduler: Duration::from_secs(2),
                op: Duration::from_secs(5),
                sync: Duration::from_secs(15),
                ..lanescope::Limits::default()
            },
            capture: Some(folder.path().to_owned()),
            ..RunOptions::default()
        };
        begin(Step::Run);
        let outcome = session.run(&self.built.graph, &options)?;
        begin(Step::Read);
        self.built.check(|tensor| session.read(tensor))?;
        begin(Step::Close);
        Ok(outcome)
    }

    /// How often a good cycle has made the call of each row by the end of each step.
    fn sites(&self) -> Vec<[u64; STEPS.len()]> {
        let counts = || ROWS.iter().map(|row| self.driver.calls(row.call)).collect();
        let all = self.driver.calls("");
        let messages = self.driver.calls("aclGetRecentErrMsg");
        // At the begin of each step, and at the end of the last.
        let mut moments: Vec<Vec<u64>> = Vec::new();
        let cycle = self.cycle_told("off", &mut |_| moments.push(counts()));
        moments.push(counts());
        let outcome = cycle
            .ended
            .unwrap_or_else(|error| panic!("{}: {error}", self.platform));
        assert_eq!(outcome.verdict.outcome, Outcome::Exact, "{}", self.platform);
        let of_row = |row: usize| {
            let calls = |step: usize| moments[step + 1][row] - moments[0][row];
            std::array::from_fn(calls)
        };
        let sites: Vec<[u64; STEPS.len()]> = (0..ROWS.len()).map(of_row).collect();
        // No call without a row: `ROWS` names a call twice where its codes end differently.
        let mut seen = Vec::new();
        let known: u64 = ROWS
            .iter()
            .zip(&sites)
            .filter(|(row, _)| {
                let is_first = !seen.contains(&row.call);
                seen.push(row.call);
                is_first
            })
            .map(|(_, sites)| sites[STEPS.len() - 1])
            .sum();
        let messages = self.driver.calls("aclGetRecentErrMsg") - messages;
        assert_eq!(
            self.driver.calls("") - all,
            known + messages,
            "a call has no row"
        );
        sites
    }

    /// Runs one fault to its end, then the device once more, and says what is wrong.
    fn try_fault(&self, fault: Fault<'_>) -> Result<(), String> {
        let resources = Resources::now();
        let leaks = self.driver.leaks();
        let calls = self.driver.calls(fault.row.call);
        let begin = Instant::now();
        let cycle = self.cycle(&fault.to_string());
        let elapsed = begin.elapsed();
        let is_reached = self.driver.calls(fault.row.call) - calls >= fault.nth;
        let kept = self.driver.leaks() - leaks;
        let expected_kept = match fault.row.end {
            End::Kept(kept) if is_reached => kept,
            _ => 0,
        };
        if kept != expected_kept {
            return Err(format!("{kept} objects leaked, {expected_kept} expected"));
        }
        if elapsed > Duration::from_secs(30) {
            return Err(format!("took {elapsed:?}"));
        }
        let has_worked = cycle.ended.is_ok();
        fault.judge(cycle, is_reached)?;
        let left = Resources::settled(resources);
        if left != resources {
            return Err(format!("{left:?} left of {resources:?}"));
        }
        // A device that did all that was asked needs no second proof, unless it was left with things.
        if has_worked && kept == 0 {
            return Ok(());
        }
        self.try_again()
    }

    /// Whether the device opens and works after a fault.
    fn try_again(&self) -> Result<(), String> {
        let leaks = self.driver.leaks();
        let outcome = self
            .cycle("off")
            .ended
            .map_err(|error| format!("afterwards: {error}"))?;
        if outcome.verdict.outcome != Outcome::Exact {
            return Err(format!("afterwards: {:?}", outcome.verdict.findings));
        }
        match self.driver.leaks() - leaks {
            0 => Ok(()),
            leaked => Err(format!("afterwards: {leaked} objects leaked")),
        }
    }
}

impl Fault<'_> {
    /// What the cycle with this fault came to, against what its row says.
    fn judge(&self, cycle: Cycle, is_reached: bool) -> Result<(), String> {
        let Cycle {
            ended,
            step,
            folder,
        } = cycle;
        match ended {
            Err(error) => {
                if !is_reached || matches!(self.row.end, End::Exact | End::Kept(_)) {
                    return Err(format!("tolerated, yet: {error}"));
                }
                self.check_text(&error)?;
                check_left(&folder, step)
            }
            Ok(outcome) => {
                if is_reached && self.row.end == End::Error {
                    return Err("no error".to_owned());
                }
                if outcome.verdict.outcome == Outcome::Exact {
                    return Ok(());
                }
                // The run ended, but what was captured could not be read: the verdict says so.
                let findings = &outcome.verdict.findings;
                let texts: Vec<&str> = findings.iter().map(|finding| &*finding.text).collect();
                self.check_text(&texts.join("; "))
            }
        }
    }

    fn check_text(&self, error: &str) -> Result<(), String> {
        let (code, name) = self.code;
        let is_late = name == "not done after";
        let says = |part: &str| error.contains(part);
        if says(name) && (is_late || says(self.row.call) && says(&code.to_string())) {
            return Ok(());
        }
        Err(format!("does not name call, code and name: {error}"))
    }
}

/// What a failed cycle left in its folder. A run that failed: a readable capture that says it is
/// partial, or none at all when it failed before it began to record. One that ended, of which
/// something could not be read back: its capture.
fn check_left(folder: &Folder, step: Step) -> Result<(), String> {
    let path = folder.path().join(CAPTURE_FILE_NAME);
    if !path.exists() {
        return match step {
            Step::Open | Step::Load | Step::Run => Ok(()),
            Step::Read | Step::Close => Err("a run that ended left no capture".to_owned()),
        };
    }
    let read = || -> Result<Option<Outcome>, Box<dyn Error>> {
        let file = CaptureFile::open(&path)?;
        let capture = file.read()?;
        let run = capture.runs()?.pop();
        Ok(run.and_then(|run| run.verdict().map(|verdict| verdict.outcome)))
    };
    match (read(), step) {
        (Ok(Some(Outcome::Partial)), Step::Run) => Ok(()),
        (Ok(Some(Outcome::Exact | Outcome::Broken)), Step::Read) => Ok(()),
        (Ok(outcome), _) => {
            let says = outcome.map_or("nothing", Outcome::name);
            Err(format!("its capture says {says} after {step:?} failed"))
        }
        (Err(error), _) => Err(format!("its capture: {}", chain(&*error))),
    }
}

/// A number that seeds and places are mixed into.
fn mixed(number: u64) -> u64 {
    Numbers::new(number).draw()
}

/// The sites that one seed tries of a call, made so often by the end of each step: all of a few; of many, the
/// first and the last of every step and some in between.
fn chosen_sites(ends: &[u64; STEPS.len()], seed: u64) -> Vec<u64> {
    const ALL_OF: u64 = 12;
    let sites = ends[STEPS.len() - 1];
    if sites <= ALL_OF {
        return (1..=sites).collect();
    }
    let mut chosen = Vec::new();
    let mut begin = 0;
    for (step, &end) in STEPS.into_iter().zip(ends) {
        // A run has steps of its own: upload, begin, launch, drain, end. Each part has a site.
        let parts = match step {
            Step::Run => 5,
            _ => 1,
        };
        let edge = |part: u64| begin + (end - begin) * part / parts;
        for part in 0..parts {
            let (from, to) = (edge(part), edge(part + 1));
            if from < to {
                chosen.push(from + 1 + mixed(seed ^ from << 32) % (to - from));
            }
        }
        if begin < end {
            chosen.extend([begin + 1, end]);
        }
        begin = end;
    }
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

/// The sweep of one platform in both launch forms, one of them with every collector. A seed takes some of the sites of a call that is
/// made often; with other seeds each has its turn.
fn sweep(platform: &'static str, effort: &Effort) {
    let _device = exclusive();
    let benches = [
        Bench::new(platform, LaunchForm::Classic, swimlane()),
        Bench::new(platform, LaunchForm::ByName, everything()),
    ];
    let sites: Vec<_> = benches.iter().map(Bench::sites).collect();
    let mut failures = Vec::new();
    while let Some(seed) = effort.next_seed() {
        for (bench, sites) in benches.iter().zip(&sites) {
            for (number, (row, sites)) in (0..).zip(ROWS.iter().zip(sites)) {
                for nth in chosen_sites(sites, mixed(seed) ^ number) {
                    let codes = row.codes.iter().enumerate();
                    let turn = mixed(seed ^ nth << 8 ^ number << 40) % row.codes.len() as u64;
                    // Every code at the first site, one of them at each later one.
                    let codes = codes.filter(|(place, _)| nth == 1 || *place as u64 == turn);
                    for (_, &code) in codes {
                        let fault = Fault { row, nth, code };
                        effort.add(Tried::Faults, 1);
                        let tried = bench.try_fault(fault);
                        if let Err(why) = tried {
                            failures.push(format!("{:?} {fault} (seed {seed}): {why}", bench.form));
                        }
                    }
                }
            }
        }
        assert!(failures.is_empty(), "{platform}:\n{}", failures.join("\n"));
    }
}

#[test]
fn every_driver_call_fails_cleanly_in_each_step_on_a2a3() {
    let effort = Effort::new("every_driver_call_fails_cleanly_in_each_step_on_a2a3", 1);
    sweep("a2a3sim", &effort);
}

#[test]
fn every_driver_call_fails_cleanly_in_each_step_on_a5() {
    let effort = Effort::new("every_driver_call_fails_cleanly_in_each_step_on_a5", 1);
    sweep("a5sim", &effort);
}
