//! What goes wrong ends in one clear error within its limit, and nothing is leaked.
//!
//! What every platform must refuse is in the suite; here is what the simulator's settings make.

use lanescope::{OpenOptions, Session};
use lanescope_capture::{CAPTURE_FILE_NAME, CaptureFile, Outcome};
use lanescope_conformance::{Case, Folder, SimulatedDriver, chain};
use lanescope_examples::{VectorOptions, WorkloadOptions};
use std::time::{Duration, Instant};

const PLATFORMS: [&str; 2] = ["a2a3sim", "a5sim"];

fn small() -> WorkloadOptions {
    WorkloadOptions::Vector(VectorOptions {
        tasks: 400,
        tile: 64,
        chains: 50,
    })
}

fn refusal(case: &Case) -> String {
    match case.run() {
        Ok(_) => panic!("{case:?} was expected to fail"),
        Err(error) => chain(&*error),
    }
}

#[test]
fn a_driver_of_the_other_chip_is_refused_naming_both() {
    let _device = lanescope_conformance::exclusive();
    let case = Case::new("a2a3sim", 2, small());
    let other = Case::new("a5sim", 2, small()).build().expect("built");
    let build = case.build().expect("built");
    let options = OpenOptions {
        driver_dir: other.driver_dir(),
        ..OpenOptions::default()
    };
    let platform = lanescope::platform("a2a3sim").expect("known");
    let text = chain(
        &platform
            .open(&build, options)
            .expect_err("an a5 driver for a2a3"),
    );
    assert!(
        text.contains("Ascend950") && text.contains("Ascend910B"),
        "{text}"
    );
}

#[test]
fn a_refused_launch_ends_the_run_without_a_leak() {
    let _device = lanescope_conformance::exclusive();
    for platform in PLATFORMS {
        for call in [
            "rtKernelLaunchWithHandleV2",
            "rtStreamCreate",
            "rtMalloc",
            "rtMemcpy",
            "rtRegisterAllKernel",
        ] {
            let case =
                Case::new(platform, 2, small()).with_setting("fail", format!("{call}:1:207001"));
            let begin = Instant::now();
            let error = refusal(&case);
            assert!(
                error.contains(call) && error.contains("207001"),
                "{platform}: {error}"
            );
            assert!(
                begin.elapsed() < Duration::from_secs(50),
                "{platform} {call}: hangs"
            );
        }
        let driver = SimulatedDriver::of(&Case::new(platform, 2, small()).build().expect("built"));
        assert_eq!(driver.leaks(), 0, "{platform}");
    }
}

#[test]
fn a_killed_device_process_is_an_error_and_leaves_a_partial_capture() {
    let _device = lanescope_conformance::exclusive();
    for platform in PLATFORMS {
        let case = Case::new(
            platform,
            2,
            WorkloadOptions::Vector(VectorOptions {
                tasks: 50_000,
                tile: 64,
                chains: 100,
            }),
        )
        .with_setting("kill-at", 2_000);
        let build = case.build().expect("built");
        let built = case.graph(&build).expect("a graph");
        let device = case.open(&build).expect("opens");
        let mut session = Session::open(device, &build, &case.session).expect("a session");
        let folder = Folder::new().expect("a folder");
        let mut options = case.run.clone();
        options.capture = Some(folder.path().to_owned());
        let begin = Instant::now();
        let error = session
            .run(&built.graph, &options)
            .expect_err("the device died");
        assert!(
            begin.elapsed() < options.limits.sync,
            "{platform}: slower than the limit"
        );
        let text = chain(&error);
        assert!(text.contains("507901"), "{platform}: {text}");
        let file = CaptureFile::open(folder.path().join(CAPTURE_FILE_NAME)).expect("a capture");
        let capture = file.read().expect("readable");
        let run = capture.runs().expect("decodes").pop().expect("one run");
        assert_eq!(
            run.verdict().map(|verdict| verdict.outcome),
            Some(Outcome::Partial),
            "{platform}"
        );
    }
}

#[test]
fn a_dead_core_is_named() {
    let _device = lanescope_conformance::exclusive();
    for platform in PLATFORMS {
        let case = Case::new(platform, 2, small()).with_setting("dead-core", 5);
        let error = refusal(&case);
        assert!(
            error.contains("core 5") && error.contains("handshake"),
            "{platform}: {error}"
        );
    }
}
