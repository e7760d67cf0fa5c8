//! Benches over the whole slice: virtual-time rate, start-up calls, copied bytes on a5.
#![expect(clippy::print_stdout, reason = "a bench prints its rows")]

use lanescope::{Arg, CoreType, Graph, RunOptions, Session};
use lanescope_conformance::{Case, SimulatedDriver};
use lanescope_examples::{ReplayOptions, WorkloadOptions};
use lanescope_profiling::{
    Collector, LaneSettings, Profiler, ProfilerOptions, RegionShape, Swimlane,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Calls that make, map and fill a region.
const REGION_CALLS: [&str; 3] = ["rtMalloc", "halHostRegister", "rtMemcpy"];
/// Of these, what the graph itself takes once: memory for its kernel and its tensor, and a copy.
const GRAPH_CALLS: u64 = 3;

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    virtual_time("10 µs", 10_000, 600_000, 300_000.0);
    virtual_time("1 ms", 1_000_000, 200_000, 100_000.0);
    start_up();
    copied_bytes();
}

/// Replay of independent equal tasks on 72 cores, four AICPU threads, swimlane on.
fn virtual_time(label: &str, task_ns: u64, tasks: u64, target: f64) {
    let recording = recording(task_ns);
    let workload = WorkloadOptions::Replay(ReplayOptions {
        file: recording,
        tasks: Some(tasks),
    });
    let mut case = Case::new("a2a3sim", 2, workload);
    case.run.threads = Some(4);
    case.run.clusters = Some(24);
    let build = case.build().expect("built");
    let built = case.graph(&build).expect("a graph");
    let device = case.open(&build).expect("opens");
    let mut session = Session::open(device, &build, &case.session).expect("a session");
    let begin = Instant::now();
    let finished = case.run_in(&mut session, &built).expect("runs");
    let wall = begin.elapsed();
    assert_eq!(finished.outcome.verdict.outcome.name(), "exact");
    let run_rate = tasks as f64 / finished.outcome.elapsed.as_secs_f64();
    println!(
        "row: virtual time, replay of {label} tasks, 72 cores, 4 threads, swimlane on | ≥ {:.0} k tasks/s | {:.0} k tasks/s, upload and capture included ({:.1} s with checks) | {:.2}",
        target / 1e3,
        run_rate / 1e3,
        wall.as_secs_f64(),
        run_rate / target,
    );
}

/// A recording of one task per core, all of the same length.
fn recording(task_ns: u64) -> PathBuf {
    let path = std::env::temp_dir().join(format!(
        "lanescope-bench-{}-{task_ns}.json",
        std::process::id()
    ));
    let us = task_ns as f64 / 1e3;
    let tasks: Vec<String> = (0..72)
        .map(|core| {
            let core_type = if core < 24 { "aic" } else { "aiv" };
            format!(
                "{{\"task_id\":{core},\"func_id\":0,\"core_id\":{core},\"core_type\":\"{core_type}\",\"ring_id\":0,\
                 \"start_time_us\":1.000,\"end_time_us\":{:.3},\"duration_us\":{us:.3},\"dispatch_time_us\":0.500,\
                 \"finish_time_us\":{:.3},\"fanout\":[],\"fanout_count\":0}}",
                1.0 + us,
                2.0 + us
            )
        })
        .collect();
    std::fs::write(
        &path,
        format!("{{\"version\":1,\"tasks\":[{}]}}", tasks.join(",")),
    )
    .expect("writable");
    path
}

/// Driver calls that make the two regions, for few and for many cores. The control region: what the
/// first run of a small graph calls beyond the second, less what the graph itself takes once. The
/// capture region: what opening a profiler calls.
fn start_up() {
    for platform in ["a2a3sim", "a5sim"] {
        for clusters in [1, 24] {
            let case = Case::new(
                platform,
                2,
                WorkloadOptions::named("vector", None).expect("known"),
            );
            let build = case.build().expect("built");
            let driver = SimulatedDriver::of(&build);
            let device = case.open(&build).expect("opens");
            let mut session = Session::open(device, &build, &case.session).expect("a session");
            let mut graph = Graph::new("one task");
            let function = graph.function("replay", 0, build.kernel("replay").expect("built"));
            let mark = graph.tensor("mark", 8);
            graph.task(
                function,
                CoreType::Aiv,
                &[Arg::Scalar(500), Arg::Tensor(mark), Arg::Scalar(0)],
            );
            let options = RunOptions {
                clusters: Some(clusters),
                ..RunOptions::default()
            };
            let so_far = || {
                REGION_CALLS
                    .map(|name| driver.calls(name))
                    .iter()
                    .sum::<u64>()
            };
            let begin = so_far();
            session.run(&graph, &options).expect("runs");
            let first = so_far();
            session.run(&graph, &options).expect("runs again");
            let second = so_far();
            let shape = RegionShape {
                core_count: clusters * 3,
                thread_count: 1,
                ring_size: build.ring_size(),
                ticks_per_second: session.chip().ticks_per_second,
            };
            let swimlane: Vec<Box<dyn Collector>> =
                vec![Box::new(Swimlane::new(LaneSettings::default()))];
            let _profiler = Profiler::open(
                Arc::clone(session.device()),
                &ProfilerOptions::new(shape),
                swimlane,
            )
            .expect("opens");
            let capture = so_far() - second;
            let control = (first - begin) - (second - first) - GRAPH_CALLS;
            println!(
                "row: start-up on {platform}, {} cores: driver calls for the two regions | ≤ 8 | {control} + {capture} | {:.2}",
                clusters * 3,
                (control + capture) as f64 / 8.0
            );
        }
    }
}

/// Bytes the shadow mapping copied while draining, against the records' own.
fn copied_bytes() {
    let workload = WorkloadOptions::Vector(lanescope_examples::VectorOptions {
        tasks: 200_000,
        tile: 64,
        chains: 1000,
    });
    let case = Case::new("a5sim", 2, workload);
    let finished = case.run().expect("runs");
    let drain = finished.outcome.drain.expect("a collector was on");
    let allowed = 1.1 * drain.record_bytes as f64 + 8192.0 * drain.ticks_with_news as f64;
    println!(
        "row: a5, bytes copied while draining | ≤ 1.1 × record bytes + 8 KiB a tick with news = {:.2} MB | {:.2} MB | {:.2}",
        allowed / 1e6,
        drain.copied_bytes as f64 / 1e6,
        drain.copied_bytes as f64 / allowed
    );
}
