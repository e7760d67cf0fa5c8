//! A device process or a host that ends, stops or falls silent in the middle of a run, and a device
//! that is unusable from the start.

use crate::fault::{self, run, run_with};
use lanescope::OpenOptions;
use lanescope_abi::Kind;
use lanescope_capture::{CAPTURE_FILE_NAME, CaptureFile, Outcome, VERDICT_FILE_NAME};
use lanescope_conformance::{Case, Folder, build_folder};
use lanescope_examples::{VectorOptions, WorkloadOptions};
use lanescope_stress::{Effort, Tried};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PLATFORMS: [&str; 2] = ["a2a3sim", "a5sim"];

fn case(platform: &'static str, tasks: u64) -> Case {
    let workload = WorkloadOptions::Vector(VectorOptions {
        tasks,
        tile: 64,
        chains: 100,
    });
    let mut case = Case::new(platform, 2, workload);
    case.run.collectors.swimlane.lanes.records_per_buffer = Some(16);
    case.run.collectors.swimlane.lanes.buffers = Some(4);
    case
}

#[test]
fn a_device_process_that_ends_or_falls_silent_is_an_error_that_leaves_a_partial_capture() {
    let _device = fault::alone();
    for platform in PLATFORMS {
        for name in ["kill-at", "close-at"] {
            let ran = run(&case(platform, 20_000).with_setting(name, 300));
            let (error, verdict) = ran.failed();
            assert!(error.contains("507901"), "{ran}");
            let trace = ran.trace.as_ref().expect("a capture");
            assert!(trace.task_count() > 0, "{ran}");
            // Who is only silent has until the driver kills it.
            let is_cut = trace.task_count() < ran.task_count;
            assert!(is_cut || name == "close-at", "{ran}");
            assert_eq!(verdict.expected_tasks, Some(ran.task_count), "{ran}");
        }
    }
}

#[test]
fn a_device_process_killed_at_any_moment_leaves_nothing() {
    let _device = fault::alone();
    let effort = Effort::new("a_device_process_killed_at_any_moment_leaves_nothing", 6);
    let mut killed = 0;
    while let Some(seed) = effort.next_seed() {
        let platform = PLATFORMS[(seed % 2) as usize];
        let case = case(platform, 40_000).with_setting("seed", seed);
        // Up to about half of what the run takes.
        let moment = Duration::from_micros(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 46);
        let ran = run_with(&case, &mut |pid| {
            std::thread::spawn(move || {
                std::thread::sleep(moment);
                signal("KILL", pid);
            });
        });
        let error = ran.error.as_deref().unwrap_or_default();
        // A run that was faster than the signal is a good one.
        let is_killed = error.contains("507901") || error.contains("killed by signal 9");
        assert!(is_killed || ran.finished.is_some(), "seed {seed}: {ran}");
        killed += u64::from(is_killed);
        effort.add(Tried::Faults, 1);
    }
    assert_ne!(killed, 0, "no run was hit");
}

#[test]
fn a_poisoned_device_is_unusable_until_it_is_reset_by_force() {
    let _device = fault::alone();
    for platform in PLATFORMS {
        let poisoned = run(&case(platform, 200).with_setting("poison", 507_018));
        let error = poisoned.error.as_deref().unwrap_or_default();
        assert!(error.contains("unusable"), "{poisoned}");
        assert!(poisoned.verdict.is_none(), "{poisoned}");
        // Who finds a device unusable resets it by force when it leaves it.
        let build = case(platform, 1).build().expect("built");
        let options = OpenOptions {
            driver_dir: build.driver_dir(),
            ..OpenOptions::default()
        };
        let named = lanescope::platform(platform).expect("known");
        let reopened = named.open(&build, options);
        drop(reopened.unwrap_or_else(|error| panic!("{platform}: not healed: {error}")));
        // So does who made it so.
        let failed = run(&case(platform, 200).with_setting("aicpu-error", "end:1"));
        failed.failed();
        run(&case(platform, 200)).assert_exact();
    }
}

#[test]
fn a_host_that_is_stopped_for_a_while_loses_nothing_and_costs_no_virtual_time() {
    let _device = fault::alone();
    for platform in PLATFORMS {
        let folder = Folder::new().expect("a folder");
        let undisturbed = lanes_of(&mut start(platform, folder.path()), folder.path(), 0);
        let folder = Folder::new().expect("a folder");
        let stopped = lanes_of(&mut start(platform, folder.path()), folder.path(), 3);
        assert_eq!(undisturbed, stopped, "{platform}: two timelines");
    }
}

/// Starts `lanescope run` as a process of its own.
fn start(platform: &str, folder: &Path) -> Child {
    let build = build_folder(platform, 2);
    let mut command = Command::new(build.join("bin/lanescope"));
    command.arg("run").arg("vector").arg("--build").arg(&build);
    command.args(["--tasks", "60000", "--tile", "64", "--chains", "100"]);
    command.args(["--swimlane=2", "--seed", "3"]);
    command.args(["--records-per-buffer", "16", "--buffers", "4"]);
    command.arg("--out").arg(folder.join("out"));
    command.env_remove("LANESCOPE_SIM");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::piped());
    command.spawn().expect("it starts")
}

/// Stops the process so often while it records, then checks that it ends well; its records by lane.
fn lanes_of(process: &mut Child, folder: &Path, stops: u32) -> BTreeMap<u32, Vec<u8>> {
    let out = folder.join("out");
    let begin = Instant::now();
    let pid = i32::try_from(process.id()).expect("a process id");
    let mut recorded = 0;
    for stop in 0..stops {
        // The next stop comes when the run has gone on after the last one.
        let before = recorded;
        while recorded <= before {
            let ended = process.try_wait().expect("a process of ours");
            assert_eq!(ended, None, "ended before stop {stop}");
            assert!(
                begin.elapsed() < Duration::from_secs(120),
                "records nothing"
            );
            std::thread::sleep(Duration::from_millis(1));
            let file = std::fs::metadata(out.join(CAPTURE_FILE_NAME));
            recorded = file.map_or(0, |file| file.len());
        }
        signal("STOP", pid);
        std::thread::sleep(Duration::from_millis(150));
        recorded = std::fs::metadata(out.join(CAPTURE_FILE_NAME)).map_or(0, |file| file.len());
        signal("CONT", pid);
    }
    let status = process.wait().expect("a process of ours");
    assert_eq!(status.code(), Some(0), "stopped {stops} times");
    let verdict = std::fs::read_to_string(out.join(VERDICT_FILE_NAME)).expect("a verdict");
    let verdict: lanescope_capture::Verdict = serde_json::from_str(&verdict).expect("JSON");
    assert_eq!(verdict.outcome, Outcome::Exact, "{:?}", verdict.findings);
    let file = CaptureFile::open(out.join(CAPTURE_FILE_NAME)).expect("a capture");
    let capture = file.read().expect("readable");
    let run = capture.runs().expect("decodes").pop().expect("one run");
    let mut lanes: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    for block in run.record_blocks(Kind::TASK) {
        let lane = lanes.entry(block.header.lane).or_default();
        lane.extend_from_slice(block.payload);
    }
    lanes
}

fn signal(name: &str, pid: i32) {
    let status = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .stderr(Stdio::null())
        .status();
    // A process that has ended already is no failure of the test.
    let _ = status.expect("kill is a command of every Unix");
}
