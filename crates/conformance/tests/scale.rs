//! A million tasks: exact on both chips, and the host's memory does not grow with the run.

use lanescope_conformance::{Case, Finished};
use lanescope_examples::{ReplayOptions, VectorOptions, WorkloadOptions};
use std::path::Path;

const TASKS: u64 = 1_000_000;

fn vector(tasks: u64) -> WorkloadOptions {
    WorkloadOptions::Vector(VectorOptions {
        tasks,
        tile: 64,
        chains: 1000,
    })
}

fn replay(tasks: u64) -> WorkloadOptions {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/data/reference_paged_attention.l2_perf_records.json");
    WorkloadOptions::Replay(ReplayOptions {
        file,
        tasks: Some(tasks),
    })
}

/// The run is exact, in no more memory of the host than any other run needs.
fn assert_exact(platform: &'static str, workload: WorkloadOptions) {
    let _device = lanescope_conformance::exclusive();
    let finished = Case::new(platform, 2, workload).run_exact();
    assert_host_memory(&finished);
}

#[test]
fn a_million_vector_tasks_on_a2a3sim() {
    assert_exact("a2a3sim", vector(TASKS));
}

#[test]
fn a_million_vector_tasks_on_a5sim() {
    assert_exact("a5sim", vector(TASKS));
}

#[test]
fn a_million_replayed_tasks_on_a2a3sim() {
    assert_exact("a2a3sim", replay(TASKS));
}

#[test]
fn a_million_replayed_tasks_on_a5sim() {
    assert_exact("a5sim", replay(TASKS));
}

/// Host blocks that exist at most, and what one holds: 1,024 records of a cache line.
const MOST_HOST_BLOCK_BYTES: u64 = 64 * 1024 * 64;

/// How many blocks a run needs depends on how far the writer falls behind; no run needs room for all its records.
fn assert_host_memory(finished: &Finished) {
    let drain = finished.outcome.drain.as_ref();
    let drain = drain.expect("a collector was on");
    assert!(drain.record_bytes > 2 * MOST_HOST_BLOCK_BYTES, "{drain:?}");
    assert!(drain.host_block_bytes <= MOST_HOST_BLOCK_BYTES, "{drain:?}");
}
