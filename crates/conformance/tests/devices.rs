//! Several devices in one process, and one device shared: each run exact, or refused in clear words.

use lanescope::{Device, Limits, Outcome, RunOptions, Session};
use lanescope_capture::{CAPTURE_FILE_NAME, CaptureFile};
use lanescope_conformance::{
    Case, Finished, Gate, SimulatedDriver, Stand, chain, exclusive, timeline, vector,
};
use lanescope_examples::Built;
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::time::Duration;

const PLATFORMS: [&str; 2] = ["a2a3sim", "a5sim"];
const RUNS: u32 = 3;

fn case(platform: &'static str, device: u32, tasks: u64) -> Case {
    Case {
        device,
        ..Case::new(platform, 2, vector(tasks))
    }
}

fn driver(platform: &'static str) -> SimulatedDriver {
    SimulatedDriver::of(&case(platform, 0, 1).build().expect("built"))
}

fn check(finished: &Finished, device: u32) {
    let faults = timeline::faults(finished);
    assert!(faults.is_empty(), "device {device}: {faults:?}");
    let path = finished.folder.path().join(CAPTURE_FILE_NAME);
    let file = CaptureFile::open(path).expect("a capture");
    let capture = file.read().expect("readable");
    let run = capture.runs().expect("decodes").pop().expect("one run");
    assert_eq!(run.session().device, device);
}

/// Runs a case some times in one session and looks at every record.
fn run_some(case: &Case, session: &mut Session, built: &Built) {
    for _ in 0..RUNS {
        let finished = case.run_in(session, built);
        let finished = finished.unwrap_or_else(|error| panic!("{case:?}: {}", chain(&*error)));
        check(&finished, case.device);
    }
}

fn open(case: &Case) -> (Session, Built) {
    let build = case.build().expect("built");
    let device = case.open(&build).expect("opens");
    let session = Session::open(device, &build, &case.session).expect("a session");
    (session, case.graph(&build).expect("a graph"))
}

/// Every process of a device is gone, and nothing was left in one.
fn assert_closed(platform: &'static str) {
    let driver = driver(platform);
    assert_eq!(driver.leaks(), 0, "{platform}");
    for device in 0..2 {
        assert_eq!(driver.device_pid(device), -1, "{platform} {device}");
    }
}

#[test]
fn two_devices_of_each_chip_run_at_once_and_each_is_exact() {
    let _devices = exclusive();
    let all_open = Barrier::new(4);
    std::thread::scope(|scope| {
        for (platform, device) in PLATFORMS.iter().flat_map(|p| [(*p, 0), (*p, 1)]) {
            let all_open = &all_open;
            scope.spawn(move || {
                let case = case(platform, device, 1500 + u64::from(device) * 700);
                let (mut session, built) = open(&case);
                all_open.wait();
                run_some(&case, &mut session, &built);
            });
        }
    });
    PLATFORMS.into_iter().for_each(assert_closed);
}

#[test]
fn one_thread_uses_two_devices_in_turn() {
    let _devices = exclusive();
    for platform in PLATFORMS {
        let cases = [case(platform, 0, 300), case(platform, 1, 500)];
        let mut opened: Vec<_> = cases.iter().map(open).collect();
        for _ in 0..2 {
            for (case, (session, built)) in cases.iter().zip(&mut opened) {
                run_some(case, session, built);
            }
        }
        // The first opened is closed first; the other does not notice.
        drop(opened.remove(0));
        let (mut session, built) = opened.remove(0);
        run_some(&cases[1], &mut session, &built);
        drop(session);
        assert_closed(platform);
    }
}

#[test]
fn a_device_that_fails_leaves_the_other_alone() {
    let _devices = exclusive();
    for platform in PLATFORMS {
        let (failing, healthy) = (case(platform, 0, 400), case(platform, 1, 400));
        let (mut other, built) = open(&healthy);
        for _ in 0..2 {
            let (mut session, graph) = open(&failing);
            let too_short = RunOptions {
                limits: Limits {
                    handshake: Duration::from_micros(1),
                    ..Limits::default()
                },
                ..RunOptions::default()
            };
            session
                .run(&graph.graph, &too_short)
                .expect_err("no core answers within that");
            assert!(session.device().is_poisoned());
            assert!(!other.device().is_poisoned());
            run_some(&healthy, &mut other, &built);
            // Its forced reset is its own as well.
            drop(session);
            run_some(&healthy, &mut other, &built);
        }
        drop(other);
        let _ = failing.run_exact();
        assert_closed(platform);
    }
}

#[test]
fn a_session_moves_from_thread_to_thread() {
    let _devices = exclusive();
    for platform in PLATFORMS {
        for _ in 0..2 {
            let case = case(platform, 0, 300);
            let (mut session, built) = open(&case);
            for _ in 0..3 {
                session = std::thread::scope(|scope| {
                    let (case, built) = (&case, &built);
                    let moved = scope.spawn(move || {
                        run_some(case, &mut session, built);
                        session
                    });
                    moved.join().expect("the thread does not panic")
                });
            }
            std::thread::spawn(move || drop(session))
                .join()
                .expect("the thread does not panic");
            assert_closed(platform);
        }
    }
}

#[test]
fn two_sessions_of_one_device_take_turns_and_each_is_exact() {
    let _devices = exclusive();
    for platform in PLATFORMS {
        let case = case(platform, 0, 800);
        let build = case.build().expect("built");
        let built = case.graph(&build).expect("a graph");
        let device = case.open(&build).expect("opens");
        let again = case.open(&build).expect("opens again");
        // Two on the very device, one on a second opening of it, which has streams of its own.
        let sessions: Vec<_> = [Arc::clone(&device), device, again]
            .into_iter()
            .map(|device| Session::open(device, &build, &case.session).expect("a session"))
            .collect();
        let together = Barrier::new(sessions.len());
        std::thread::scope(|scope| {
            for mut session in sessions {
                let (case, built, together) = (&case, &built, &together);
                scope.spawn(move || {
                    together.wait();
                    for run_id in 1..=4 {
                        let finished = case.run_in(&mut session, built);
                        let finished =
                            finished.unwrap_or_else(|error| panic!("{}", chain(&*error)));
                        check(&finished, 0);
                        // Each session counts its own runs.
                        assert_eq!(finished.outcome.run_id, run_id);
                    }
                });
            }
        });
        assert_closed(platform);
    }
}

#[test]
fn a_run_that_keeps_the_device_is_waited_for_up_to_the_limit() {
    let _devices = exclusive();
    for platform in PLATFORMS {
        let stand = Stand::find(platform, 0, 2).expect("a device");
        let case = case(platform, 0, 300);
        let (mut waiting, built) = open(&case);
        let mut keeping = stand.session().expect("a session");
        let gate = Gate::new(&stand, keeping.device()).expect("a gate");
        std::thread::scope(|scope| {
            let held = scope.spawn(|| keeping.run(gate.graph(), &RunOptions::default()));
            gate.wait_until_entered().expect("it runs");
            let limits = Limits {
                block: Duration::from_millis(1),
                handshake: Duration::from_millis(1),
                scheduler: Duration::from_millis(2),
                op: Duration::from_millis(3),
                sync: Duration::from_millis(1600),
                ..Limits::default()
            };
            let options = RunOptions {
                limits,
                ..RunOptions::default()
            };
            let error = waiting.run(&built.graph, &options).expect_err("kept");
            let text = chain(&error);
            assert!(
                text.contains("device 0 still runs a graph") && text.contains("1.6s"),
                "{platform}: {text}"
            );
            assert!(error.hint().is_some_and(|hint| hint.contains("sync")));
            gate.open(1).expect("the host can store");
            let outcome = held.join().expect("it does not panic").expect("it ends");
            assert_eq!(outcome.verdict.outcome, Outcome::Exact);
        });
        // Whoever waited without a result has lost nothing, not even a number.
        let finished = case.run_in(&mut waiting, &built).expect("runs");
        check(&finished, 0);
        assert_eq!(finished.outcome.run_id, 1);
        drop((waiting, keeping, gate));
        assert_closed(platform);
    }
}

#[test]
fn threads_share_a_device_while_it_runs() {
    let _devices = exclusive();
    for platform in PLATFORMS {
        let case = case(platform, 0, 4000);
        let (mut session, built) = open(&case);
        let device = Arc::clone(session.device());
        std::thread::scope(|scope| {
            for thread in 0..4u8 {
                let device = &*device;
                scope.spawn(move || use_memory(device, thread));
            }
            run_some(&case, &mut session, &built);
        });
        drop((session, device));
        assert_closed(platform);
    }
}

fn use_memory(device: &dyn Device, thread: u8) {
    for round in 0..40u8 {
        // Every other round without an attachment: the thread is then bound for each call.
        let _attachment = (round % 2 == 0).then(|| device.attach_thread().expect("attaches"));
        let memory = device.allocate(12_288).expect("there is memory");
        let content = [thread ^ round.rotate_left(3); 12_288];
        device
            .copy_to_device(memory.address(), &content)
            .expect("copies");
        let mapping = device.map(&memory, 8192).expect("maps");
        mapping.invalidate(0..8192).expect("reads");
        let mut found = [0; 8192];
        lanescope::MappingExt::read_bytes(&*mapping, 0, &mut found);
        assert_eq!(found, content[..8192], "thread {thread}, round {round}");
    }
}

/// The list is read when the driver is first called, so it takes a process of its own.
const CHILD_VARIABLE: &str = "LANESCOPE_DEVICES_CHILD";

fn in_a_process_of_its_own(test: &str, visible: &str) {
    let ran = Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", test, "--nocapture", "--test-threads", "1"])
        .env(CHILD_VARIABLE, "1")
        .env("ASCEND_RT_VISIBLE_DEVICES", visible)
        .output()
        .expect("it starts");
    let told = String::from_utf8_lossy(&ran.stdout);
    let failed = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{visible}: {told}{failed}");
    assert!(told.contains("1 passed"), "{told}");
}

#[test]
fn visible_devices_are_numbered_from_zero() {
    if std::env::var_os(CHILD_VARIABLE).is_none() {
        return in_a_process_of_its_own("visible_devices_are_numbered_from_zero", "3,6");
    }
    for platform in PLATFORMS {
        let mut held = Vec::new();
        for (device, driver_id) in [(0, 3), (1, 6)] {
            let case = case(platform, device, 200);
            let (mut session, built) = open(&case);
            let info = session.device().info().clone();
            assert_eq!((info.logical_id, info.driver_id), (device, driver_id));
            // Registers and registrations go by the driver's id, everything else by the logical one.
            run_some(&case, &mut session, &built);
            held.push(session);
        }
        let third = case(platform, 2, 200);
        let error = third.open(&third.build().expect("built"));
        let text = chain(&error.expect_err("two are visible"));
        assert!(
            text.contains("device 2") && text.contains("107001"),
            "{text}"
        );
    }
}

#[test]
fn a_list_out_of_order_leaves_no_device() {
    if std::env::var_os(CHILD_VARIABLE).is_none() {
        return in_a_process_of_its_own("a_list_out_of_order_leaves_no_device", "6,3");
    }
    for platform in PLATFORMS {
        for device in [0, 1] {
            let case = case(platform, device, 200);
            let error = case.open(&case.build().expect("built"));
            let text = chain(&error.expect_err("no device is visible"));
            assert!(text.contains("107001"), "{text}");
        }
    }
}
