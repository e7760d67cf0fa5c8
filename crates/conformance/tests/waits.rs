//! Every wait of a run driven into its limit from outside: the error names who waited for what, and
//! what was captured so far is there, the tasks in flight listed.

use lanescope::{
    Build, CAPTURE_FILE_NAME, Collectors, DeviceFailure, LaunchForm, Limits, OpenOptions, Outcome,
    PlatformError, RunOptions, RuntimeError, Session, SessionOptions, StreamKind, Verdict,
};
use lanescope_abi::Token;
use lanescope_capture::CaptureFile;
use lanescope_conformance::{
    Folder, Gate, Resources, SimulatedDriver, Stand, build_folder, exclusive,
};
use lanescope_examples::{Built, Target, VectorOptions, WorkloadOptions};
use lanescope_report::Report;
use lanescope_trace::Trace;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

const PLATFORMS: [&str; 2] = ["a2a3sim", "a5sim"];

/// Few, so that every vector core has work: cores 2 to 5.
const CLUSTERS: u32 = 2;

/// The limits of these tests, in virtual time; `sync`, which is wall time, is out of their way.
fn limits() -> Limits {
    Limits {
        block: Duration::from_millis(50),
        handshake: Duration::from_millis(100),
        scheduler: Duration::from_millis(200),
        op: Duration::from_millis(900),
        sync: Duration::from_secs(60),
        ..Limits::default()
    }
}

/// One platform, its graph and its driver.
struct Bench {
    platform: &'static str,
    build: Build,
    built: Built,
    driver: SimulatedDriver,
}

impl Bench {
    fn new(platform: &'static str) -> Self {
        let build = Build::open(build_folder(platform, 2)).expect("built");
        let workload = WorkloadOptions::Vector(VectorOptions {
            tasks: 240,
            tile: 16,
            chains: 24,
        });
        let target = Target {
            kernels: &build,
            chip: build.chip().info(),
        };
        let built = workload.open().expect("opens").build(&target);
        Self {
            platform,
            built: built.expect("a graph"),
            driver: SimulatedDriver::of(&build),
            build,
        }
    }

    /// Opens the device and loads the programs, with these settings and none of an earlier test.
    fn open(&self, settings: &[(&str, &str)]) -> Session {
        self.try_open(settings, limits().op).expect("opens")
    }

    fn try_open(
        &self,
        settings: &[(&str, &str)],
        op_limit: Duration,
    ) -> Result<Session, RuntimeError> {
        let settings = settings.iter();
        let settings = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let options = OpenOptions {
            driver_settings: settings.collect(),
            launch_form: Some(LaunchForm::Classic),
            op_limit: Some(op_limit),
            ..OpenOptions::default()
        };
        let device = lanescope::platform(self.platform)
            .expect("known")
            .open(&self.build, options)
            .expect("opens");
        Session::open(device, &self.build, &SessionOptions::default())
    }

    /// Runs the graph into an error, recording into `folder`.
    fn failure(&self, session: &mut Session, folder: &Folder, limits: Limits) -> RuntimeError {
        let options = RunOptions {
            collectors: Collectors::swimlane(2),
            clusters: Some(CLUSTERS),
            capture: Some(folder.path().to_owned()),
            limits,
            ..RunOptions::default()
        };
        match session.run(&self.built.graph, &options) {
            Ok(_) => panic!("{}: expected to fail", self.platform),
            Err(error) => error,
        }
    }

    /// Sends a signal to the device process.
    fn signal(&self, signal: &str) {
        let pid = self.driver.device_pid(0);
        assert!(pid > 0, "{}: no device process", self.platform);
        let sent = Command::new("kill")
            .args([signal, &pid.to_string()])
            .status();
        assert!(sent.expect("kill starts").success());
    }

    /// Whether a device without any setting runs the graph as it should.
    fn check_works(&self) {
        let mut session = self.open(&[]);
        let options = RunOptions {
            collectors: Collectors::swimlane(2),
            clusters: Some(CLUSTERS),
            ..RunOptions::default()
        };
        let outcome = session.run(&self.built.graph, &options).expect("runs");
        assert_eq!(outcome.verdict.outcome, Outcome::Exact, "{}", self.platform);
    }
}

fn device_failure(error: &RuntimeError) -> &DeviceFailure {
    match error {
        RuntimeError::Device(failure) => failure,
        other => panic!("no word of the device: {other}: {other:?}"),
    }
}

fn verdict(folder: &Folder) -> Verdict {
    let file = CaptureFile::open(folder.path().join(CAPTURE_FILE_NAME)).expect("a capture");
    let capture = file.read().expect("readable");
    let run = capture.runs().expect("decodes").pop().expect("one run");
    run.verdict().cloned().expect("a verdict")
}

/// The report of the run in a folder.
fn report(folder: &Folder) -> String {
    let trace = Trace::open(folder.path()).expect("a trace");
    Report::of(&trace).text()
}

#[test]
fn a_kernel_that_never_ends_is_named_with_its_registers_and_its_task() {
    let _device = exclusive();
    for platform in PLATFORMS {
        let bench = Bench::new(platform);
        let leaks = bench.driver.leaks();
        let folder = Folder::new().expect("a folder");
        let mut session = bench.open(&[("hung-kernel", "3")]);
        let error = bench.failure(&mut session, &folder, limits());
        let failure = device_failure(&error);
        assert_eq!(failure.phase, "running", "{platform}: {error}");
        assert_eq!(failure.core, Some(3), "{platform}: {error}");
        assert_eq!(
            failure.limit,
            Some(limits().scheduler),
            "{platform}: {error}"
        );
        let token = failure.token;
        assert_eq!(failure.cond, token, "{platform}: ACK of the token: {error}");
        let text = error.to_string();
        let named = format!("core 3, token {token}, DATA_MAIN_BASE 0x");
        assert!(
            text.contains(&named) && text.contains("COND 0x"),
            "{platform}: {text}"
        );

        let verdict = verdict(&folder);
        assert_eq!(verdict.outcome, Outcome::Partial, "{platform}");
        let stuck = verdict.abandoned.iter().find(|entry| entry.core == 3);
        let stuck = stuck.unwrap_or_else(|| panic!("{platform}: {:?}", verdict.abandoned));
        assert_eq!(stuck.token, token, "{platform}");
        let task = stuck.task_id.expect("the device still says of which task");
        let function = stuck.function.clone().expect("the graph names it");
        let report = report(&folder);
        let line = format!("in flight: core 3 token {token}, task {task} ({function})");
        assert!(
            report.contains(&line),
            "{platform}: {line} not in\n{report}"
        );
        assert!(report.contains("verdict: partial"), "{platform}: {report}");
        drop(session);
        bench.check_works();
        assert_eq!(bench.driver.leaks(), leaks, "{platform}");
    }
}

#[test]
fn a_core_that_never_answers_is_named_with_the_limit() {
    let _device = exclusive();
    for platform in PLATFORMS {
        let bench = Bench::new(platform);
        let folder = Folder::new().expect("a folder");
        let mut session = bench.open(&[("dead-core", "5")]);
        let error = bench.failure(&mut session, &folder, limits());
        let failure = device_failure(&error);
        assert_eq!(failure.phase, "handshake", "{platform}: {error}");
        assert_eq!(failure.core, Some(5), "{platform}: {error}");
        assert_eq!(
            failure.limit,
            Some(limits().handshake),
            "{platform}: {error}"
        );
        assert_eq!(verdict(&folder).outcome, Outcome::Partial, "{platform}");
        drop(session);
        bench.check_works();
    }
}

#[test]
fn the_drivers_limit_ends_what_the_device_does_not() {
    let _device = exclusive();
    for platform in PLATFORMS {
        let bench = Bench::new(platform);
        let folder = Folder::new().expect("a folder");
        // Far below the scheduler's limit, so the driver is the first to lose patience.
        let op_limit = Duration::from_millis(20);
        let session = bench.try_open(&[("hung-kernel", "3")], op_limit);
        let mut session = session.expect("opens");
        let error = bench.failure(&mut session, &folder, limits());
        let failure = device_failure(&error);
        assert_eq!(failure.phase, "running", "{platform}: {error}");
        let stuck = failure.in_flight.iter().any(|stuck| stuck.core == 3);
        assert!(stuck, "{platform}: {error}");
        let texts = format!("{error}: {:?}", verdict(&folder).findings);
        assert!(
            texts.contains("AICPU_TIMEOUT") || texts.contains("AICORE_TIMEOUT"),
            "{platform}: {texts}"
        );
        drop(session);
        bench.check_works();
    }
}

#[test]
fn a_device_that_stands_still_ends_every_wait_of_the_host_and_loses_nothing_else() {
    let _device = exclusive();
    for platform in PLATFORMS {
        let bench = Bench::new(platform);
        let leaks = bench.driver.leaks();
        let before = Resources::now();
        let folder = Folder::new().expect("a folder");
        let mut session = bench.open(&[]);
        bench.signal("-STOP");
        let limits = Limits {
            sync: Duration::from_millis(1700),
            ..limits()
        };
        let begin = Instant::now();
        let error = bench.failure(&mut session, &folder, limits);
        // The wait, the grace after the abort, the wait for the cores, and a last look.
        let waits = limits.sync * 2 + limits.handshake * 2;
        let elapsed = begin.elapsed();
        assert!(elapsed >= waits, "{platform}: {elapsed:?} of {waits:?}");
        assert!(
            elapsed < waits + Duration::from_secs(20),
            "{platform}: {elapsed:?}"
        );
        let RuntimeError::Platform { source, .. } = &error else {
            panic!("{platform}: {error:?}");
        };
        assert!(
            matches!(source, PlatformError::Timeout { .. }),
            "{platform}: {source}"
        );
        assert_eq!(verdict(&folder).outcome, Outcome::Partial, "{platform}");

        // Nothing is started, or freed, under a program that may go on at any moment.
        let frees = bench.driver.calls("rtFree");
        let again = bench.failure(&mut session, &folder, limits);
        let text = format!("{again}: {:?}", std::error::Error::source(&again));
        assert!(text.contains("has not ended"), "{platform}: {text}");
        let is_continued = platform == "a5sim";
        if is_continued {
            bench.signal("-CONT");
            // The close gives a program that goes on no longer than its limits; a busy machine may need more.
            wait_for_streams(&session);
        }
        let begin = Instant::now();
        drop(session);
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "{platform}: the close hangs"
        );
        if !is_continued {
            assert_eq!(
                bench.driver.calls("rtFree"),
                frees,
                "{platform}: freed in use"
            );
        }
        assert_eq!(bench.driver.leaks(), leaks, "{platform}");
        assert_eq!(Resources::settled(before), before, "{platform}");
        bench.check_works();
    }
}

/// Waits until no stream has work. The cores' comes first: the AICPU's, which was aborted, poisons the device.
fn wait_for_streams(session: &Session) {
    let begin = Instant::now();
    for stream in [StreamKind::Aicore, StreamKind::Aicpu] {
        let look = || {
            session
                .device()
                .synchronize(stream, Duration::from_millis(50))
        };
        while let Err(PlatformError::Timeout { .. }) = look() {
            let is_late = begin.elapsed() > Duration::from_secs(60);
            assert!(!is_late, "{stream:?} has not ended");
        }
    }
}

#[test]
fn a_delivery_that_never_ends_is_given_up_and_keeps_its_bytes() {
    let _device = exclusive();
    let bench = Bench::new("a2a3sim");
    let leaks = bench.driver.leaks();
    let platform = lanescope::platform(bench.platform).expect("known");
    let op_limit = Duration::from_millis(180);
    let options = OpenOptions {
        op_limit: Some(op_limit),
        ..OpenOptions::default()
    };
    let device = platform.open(&bench.build, options).expect("opens");
    bench.signal("-STOP");
    let frees = bench.driver.calls("rtFree");
    let begin = Instant::now();
    let error = Session::open(device.clone(), &bench.build, &SessionOptions::default());
    let error = error.expect_err("nobody takes the delivery");
    let margin = Duration::from_secs(5);
    assert!(
        begin.elapsed() >= op_limit + margin,
        "{:?}",
        begin.elapsed()
    );
    let text = format!("{:?}", error);
    assert!(text.contains("Timeout"), "{text}");
    assert!(device.is_poisoned());
    assert_eq!(bench.driver.calls("rtFree"), frees, "freed in use");
    bench.signal("-CONT");
    drop(device);
    assert_eq!(bench.driver.leaks(), leaks);
    bench.check_works();
}

#[test]
fn cores_that_do_not_leave_a_refused_launch_make_the_device_unusable() {
    let _device = exclusive();
    for platform in PLATFORMS {
        let bench = Bench::new(platform);
        let folder = Folder::new().expect("a folder");
        let fault = ("fail", "rtAicpuKernelLaunchExWithArgs:2:107000");
        let mut session = bench.open(&[fault]);
        bench.signal("-STOP");
        let text = bench.failure(&mut session, &folder, limits());
        let text = format!("{text}: {:?}", std::error::Error::source(&text));
        assert!(
            text.contains("rtAicpuKernelLaunchExWithArgs"),
            "{platform}: {text}"
        );
        assert!(session.device().is_poisoned(), "{platform}");
        bench.signal("-CONT");
        drop(session);
        bench.check_works();
    }
}

#[test]
fn a_device_that_is_killed_leaves_the_tasks_in_flight_as_last_seen() {
    let _device = exclusive();
    for platform in PLATFORMS {
        let bench = Bench::new(platform);
        let folder = Folder::new().expect("a folder");
        let stand = Stand::find(platform, 0, 2).expect("a device");
        let session = bench.try_open(&[], Limits::default().op);
        let mut session = session.expect("opens");
        let gate = Gate::new(&stand, session.device()).expect("a gate");
        let (look, looks) = channel();
        session.on_progress(move |_| look.send(()).expect("the test is there"));
        let options = RunOptions {
            collectors: Collectors::swimlane(2),
            clusters: Some(CLUSTERS),
            capture: Some(folder.path().to_owned()),
            ..RunOptions::default()
        };
        let error = std::thread::scope(|scope| {
            let looks = &looks;
            let run = scope.spawn(|| session.run(gate.graph(), &options).map(drop));
            gate.wait_until_entered().expect("the task runs");
            while looks.try_recv().is_ok() {}
            // The first of these may have begun before the task did.
            for _ in 0..2 {
                let looked = looks.recv_timeout(Duration::from_secs(60));
                looked.expect("the session looks at the run");
            }
            bench.signal("-KILL");
            let ended = run.join().expect("no panic");
            ended.expect_err("the device is gone")
        });
        let verdict = verdict(&folder);
        assert_eq!(verdict.outcome, Outcome::Partial, "{platform}: {error}");
        let [task] = &verdict.abandoned[..] else {
            panic!("{platform}: {:?}: {error}", verdict.abandoned);
        };
        assert_eq!(task.token, Token::FIRST.raw(), "{platform}");
        let known = (task.task_id, task.function.as_deref());
        assert_eq!(known, (Some(0), Some("gate")), "{platform}");
        drop((gate, session));
        bench.check_works();
    }
}

#[test]
fn settings_end_with_the_device_they_were_made_for() {
    let _device = exclusive();
    for platform in PLATFORMS {
        let bench = Bench::new(platform);
        let folder = Folder::new().expect("a folder");
        let settings = [("dead-core", "5"), ("fail", "aclrtGetDevice:1:507899")];
        let mut session = bench.open(&settings);
        let _ = bench.failure(&mut session, &folder, limits());
        drop(session);
        // Opened without a word of settings.
        bench.check_works();
    }
}

#[test]
fn a_poisoned_device_says_so_until_it_is_closed_and_works_again_afterwards() {
    let _device = exclusive();
    for platform in PLATFORMS {
        let bench = Bench::new(platform);
        let forced = bench.driver.calls("aclrtResetDeviceForce");
        let folder = Folder::new().expect("a folder");
        let mut session = bench.open(&[("hung-kernel", "3")]);
        let first = bench.failure(&mut session, &folder, limits()).to_string();
        let is_poisoned = |error: &RuntimeError| {
            let RuntimeError::Platform { source, .. } = error else {
                return false;
            };
            matches!(source, PlatformError::DevicePoisoned { .. })
        };
        let again = bench.failure(&mut session, &folder, limits());
        assert!(is_poisoned(&again), "{platform}: {first}; then {again:?}");
        let hint = again.hint().expect("what to do about it");
        assert!(hint.contains("open the device again"), "{platform}: {hint}");
        drop(session);
        assert_eq!(
            bench.driver.calls("aclrtResetDeviceForce"),
            forced + 1,
            "{platform}"
        );
        bench.check_works();
    }
}

#[test]
fn a_device_found_unusable_names_the_call_and_is_healed_by_the_refused_open() {
    let _device = exclusive();
    for platform in PLATFORMS {
        let bench = Bench::new(platform);
        let forced = bench.driver.calls("aclrtResetDeviceForce");
        let options = OpenOptions {
            driver_settings: vec![("poison".to_owned(), "507018".to_owned())],
            ..OpenOptions::default()
        };
        let platform = lanescope::platform(platform).expect("known");
        let error = platform.open(&bench.build, options);
        let error = error.expect_err("an earlier process left it so");
        let text = format!("{error}: {:?}", std::error::Error::source(&error));
        assert!(
            text.contains("507000") || text.contains("507899"),
            "{}: {text}",
            bench.platform
        );
        // Without it the device would stay as it was, whoever opens it.
        let resets = bench.driver.calls("aclrtResetDeviceForce") - forced;
        assert_eq!(resets, 1, "{}", bench.platform);
        bench.check_works();
    }
}

#[test]
fn the_table_of_waits_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/waits.md")).expect("the page");
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| wait "))
        .collect();
    assert!(rows.len() >= 20, "{} rows", rows.len());
    let mut sources = String::new();
    for folder in ["crates", "platforms", "xtask"] {
        read_sources(&root.join(folder), &mut sources);
    }
    for row in rows {
        let tests = row
            .trim_end_matches('|')
            .rsplit('|')
            .next()
            .unwrap_or_default();
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test: {row}");
        for name in names {
            let is_there = sources.contains(&format!("fn {name}("));
            assert!(is_there, "{name} is no test: {row}");
        }
    }
}

/// Adds the text of every Rust file below a folder.
fn read_sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            read_sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(&path).expect("readable"));
        }
    }
}
