//! Every line that one side writes and another reads is cleaned, invalidated or copied where it must be.
//!
//! The simulator keeps old bytes where a step of the table in the ABI's documentation is left out;
//! `cargo xtask loom --mutants` leaves each of them out and expects these tests to fail.

use lanescope::{Collectors, DumpOptions, LaneOptions, PmuOptions, Session, SwimlaneOptions};
use lanescope_conformance::{Case, timeline};
use lanescope_examples::{VectorOptions, WorkloadOptions};
use std::time::Duration;

/// The swimlane alone, or everything there is; an arena is gone through many times in a run.
fn collectors(buffers: u32, records: u32, is_everything: bool) -> Collectors {
    let lanes = LaneOptions {
        buffers: Some(buffers),
        records_per_buffer: Some(records),
        ..LaneOptions::default()
    };
    let pmu = PmuOptions {
        lanes,
        ..PmuOptions::default()
    };
    let dump = DumpOptions {
        arena_bytes: 16 << 10,
        lanes,
        ..DumpOptions::default()
    };
    Collectors {
        swimlane: SwimlaneOptions { level: 2, lanes },
        pmu: is_everything.then_some(pmu),
        dump: is_everything.then_some(dump),
        ..Collectors::default()
    }
}

/// Runs whose lines lie where those of the run before lay, and hold something else.
fn runs_one_after_the_other(platform: &'static str) {
    let workload = WorkloadOptions::Vector(VectorOptions {
        tasks: 600,
        tile: 64,
        chains: 60,
    });
    let mut case = Case::new(platform, 2, workload);
    case.run.clusters = Some(2);
    case.run.threads = Some(2);
    // A wait for what never becomes visible is polled to its end.
    case.run.limits.block = Duration::from_millis(5);
    case.run.limits.handshake = Duration::from_millis(10);
    let build = case.build().expect("built");
    let device = case.open(&build).expect("opens");
    let mut session = Session::open(device, &build, &case.session).expect("a session");
    let built = case.graph(&build).expect("a graph");
    // Twice the same capture region, then others that take its place: other lanes, other counters; and both
    // again with a lane of each kind.
    let shapes = [(4, 16), (4, 16), (8, 8), (2, 64)];
    let alone = shapes.map(|(buffers, records)| (buffers, records, false));
    let together = shapes.map(|(buffers, records)| (buffers, records, true));
    for (buffers, records, is_everything) in alone.into_iter().chain(together) {
        let mut case = case.clone();
        case.run.collectors = collectors(buffers, records, is_everything);
        let what = format!("{platform}, {buffers} x {records}, {is_everything}");
        let finished = case
            .run_in(&mut session, &built)
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let faults = timeline::faults(&finished);
        assert!(faults.is_empty(), "{what}: {faults:?}");
    }
}

#[test]
fn runs_follow_each_other_on_a2a3sim() {
    let _device = lanescope_conformance::exclusive();
    runs_one_after_the_other("a2a3sim");
}

#[test]
fn runs_follow_each_other_on_a5sim() {
    let _device = lanescope_conformance::exclusive();
    runs_one_after_the_other("a5sim");
}
