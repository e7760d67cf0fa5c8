//! Graphs of a million tasks are built, and are graphs that can run.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use lanescope_abi::Chip;
use lanescope_examples::{AnyError, ReplayOptions, Target, VectorOptions, WorkloadOptions};
use std::path::Path;
use std::sync::Arc;

const TASKS: u64 = 1_000_000;

fn built(options: WorkloadOptions) -> (usize, usize) {
    let kernels = |_: &str| Ok::<_, AnyError>(Arc::from([1u8].as_slice()));
    let target = Target {
        kernels: &kernels,
        chip: Chip::A5.info(),
    };
    let graph = options.open().unwrap().build(&target).unwrap().graph;
    graph.check().unwrap();
    (graph.task_count(), graph.edge_count())
}

#[test]
fn a_vector_of_a_million_tasks() {
    let options = VectorOptions {
        tasks: TASKS,
        tile: 64,
        chains: 96,
    };
    let (tasks, edges) = built(WorkloadOptions::Vector(options));
    assert_eq!(tasks, 1_000_000);
    assert!(edges > tasks, "{edges}");
}

#[test]
fn a_replay_of_a_million_tasks() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let options = ReplayOptions {
        file: folder.join("reference_paged_attention.l2_perf_records.json"),
        tasks: Some(TASKS),
    };
    let (tasks, edges) = built(WorkloadOptions::Replay(options));
    assert_eq!(tasks, 1_000_000);
    // 83333 whole copies of 14 edges, and the edges among the first four rows of another.
    assert!((14 * 83_333..14 * 83_334).contains(&edges), "{edges}");
}
