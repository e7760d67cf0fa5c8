//! Every line that one side writes and another reads is cleaned, invalidated or copied where it must be.
//!
//! The simulator keeps old bytes where a step of the table in the ABI's documentation is left out;
//! `cargo xtask loom --mutants` leaves each of them out and expects these tests to fail.

use lanescope::Session;
use lanescope_conformance::{Case, timeline};
use lanescope_examples::{VectorOptions, WorkloadOptions};
use std::time::Duration;

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
    // Twice the same capture region, then others that take its place: other lanes, other counters.
    for (buffers, records) in [(4, 16), (4, 16), (8, 8), (2, 64)] {
        let mut case = case.clone();
        case.run.collectors.swimlane.lanes.buffers = Some(buffers);
        case.run.collectors.swimlane.lanes.records_per_buffer = Some(records);
        let finished = case
            .run_in(&mut session, &built)
            .unwrap_or_else(|error| panic!("{platform}, {buffers} x {records}: {error}"));
        let faults = timeline::faults(&finished);
        assert!(
            faults.is_empty(),
            "{platform}, {buffers} x {records}: {faults:?}"
        );
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
