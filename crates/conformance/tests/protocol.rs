//! What only virtual time can show: one seed is one timeline, and a late host is waited for or lost to.

use lanescope::{Outcome, Policy};
use lanescope_abi::Kind;
use lanescope_capture::{CAPTURE_FILE_NAME, CaptureFile};
use lanescope_conformance::{Case, Finished, vector};
use std::collections::BTreeMap;

const PLATFORMS: [&str; 2] = ["a2a3sim", "a5sim"];

/// The records of each lane as bytes, in lane order.
fn lanes(finished: &Finished) -> BTreeMap<u32, Vec<u8>> {
    let file =
        CaptureFile::open(finished.folder.path().join(CAPTURE_FILE_NAME)).expect("a capture");
    let capture = file.read().expect("a whole capture");
    let run = capture.runs().expect("decodes").pop().expect("one run");
    let mut lanes: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    for block in run.record_blocks(Kind::TASK) {
        lanes
            .entry(block.header.lane)
            .or_default()
            .extend_from_slice(block.payload);
    }
    lanes
}

#[test]
fn a_seed_is_a_timeline_and_never_a_result() {
    let _device = lanescope_conformance::exclusive();
    for platform in PLATFORMS {
        let run = |seed: u32| {
            let mut case = Case::new(platform, 2, vector(3000)).with_setting("seed", seed);
            case.run.collectors.swimlane.lanes.records_per_buffer = Some(64);
            lanes(&case.run_exact())
        };
        let first = run(7);
        assert_eq!(first, run(7), "{platform}: one seed, two timelines");
        assert_ne!(first, run(8), "{platform}: two seeds, one timeline");
        assert_eq!(
            run(0),
            run(0),
            "{platform}: the default seed has two timelines"
        );
    }
}

/// The host returns each buffer 300 µs of device time after it was handed over.
fn late_host(platform: &'static str, policy: Policy) -> Case {
    let mut case = Case::new(platform, 2, vector(20_000)).with_setting("late-host", 300);
    case.run.collectors.swimlane.lanes.records_per_buffer = Some(16);
    case.run.collectors.swimlane.lanes.buffers = Some(4);
    case.run.collectors.swimlane.lanes.policy = policy;
    case
}

#[test]
fn a_late_host_makes_block_wait_and_lose_nothing() {
    let _device = lanescope_conformance::exclusive();
    for platform in PLATFORMS {
        let finished = late_host(platform, Policy::Block).run_exact();
        let waits: u64 = finished
            .outcome
            .verdict
            .lanes
            .iter()
            .map(|lane| lane.waits)
            .sum();
        assert!(waits > 0, "{platform}: the host was late and nobody waited");
    }
}

#[test]
fn a_late_host_makes_drop_newest_lose_and_count() {
    let _device = lanescope_conformance::exclusive();
    for platform in PLATFORMS {
        let finished = late_host(platform, Policy::DropNewest)
            .run()
            .expect("a run that loses ends in order");
        let verdict = &finished.outcome.verdict;
        assert_eq!(
            verdict.outcome,
            Outcome::Lossy,
            "{platform}: {:?}",
            verdict.findings
        );
        assert_eq!(verdict.exit_code(), 1);
        let totals = verdict.totals;
        assert!(
            totals.dropped.no_buffer > 0 && totals.collected > 0,
            "{platform}: {totals:?}"
        );
        assert_eq!(totals.total, finished.task_count, "{platform}");
        assert_eq!(totals.accounted(), totals.total, "{platform}");
        assert_eq!(finished.trace.task_count(), totals.collected, "{platform}");
        // One seed, one timeline, losses included.
        let again = late_host(platform, Policy::DropNewest)
            .run()
            .expect("runs again");
        assert_eq!(lanes(&again), lanes(&finished), "{platform}");
    }
}
