//! The Perfetto file, decoded by messages of its own and held against the trace it was made from.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod collectors;
mod decode;
mod messages;

use decode::{Decoded, Slice, decode};
use lanescope_capture::{CoreCounts, Counts, Dropped, FindingKind};
use lanescope_export::ExportError;
use lanescope_export::perfetto::{self, Arguments, Options, Written};
use lanescope_trace::synth::Synth;
use lanescope_trace::{Chip, CoreType, EdgeTable, Kind, Session, Task, Trace, TraceParts, Verdict};
use std::collections::HashMap;
use std::path::Path;

fn export(trace: &Trace, options: &Options) -> (Decoded, Written) {
    let mut bytes = Vec::new();
    let written = perfetto::write(trace, options, &mut bytes).unwrap();
    assert_eq!(written.bytes, bytes.len() as u64);
    (decode(&bytes), written)
}

fn synth(chip: Chip, tasks: u32, edges_per_task: u32) -> Trace {
    let synth = Synth {
        chip,
        tasks,
        clusters: chip.info().max_clusters,
        edges_per_task,
        ..Synth::default()
    };
    synth.trace().unwrap()
}

fn kernels(decoded: &Decoded) -> Vec<&Slice> {
    let slices = decoded.slices.iter();
    slices
        .filter(|slice| decoded.tracks[&slice.track].process.starts_with("AICore"))
        .collect()
}

#[test]
fn every_task_is_a_slice_with_its_times_and_arguments() {
    for chip in Chip::ALL {
        let trace = synth(chip, 5000, 2);
        let (decoded, written) = export(&trace, &Options::default());
        let ns = 1_000_000_000 / chip.info().ticks_per_second;
        let kernels: HashMap<u64, &Slice> = kernels(&decoded)
            .into_iter()
            .map(|slice| (slice.arguments["task_id"], slice))
            .collect();
        assert_eq!(kernels.len(), 5000);
        assert_eq!(written.slices, 5000);
        for task in trace.tasks() {
            let slice = kernels[&task.task_id];
            assert_eq!(slice.start_ns, task.start_ticks * ns);
            assert_eq!(slice.end_ns, task.end_ticks * ns);
            assert_eq!(slice.name, trace.functions().label(task.func_id));
            let expected = [
                ("task_id", task.task_id),
                ("token", u64::from(task.token)),
                ("func_id", u64::from(task.func_id)),
                ("head_wait_ns", task.head_wait_ticks().unwrap() * ns),
                ("receive_wait_ns", task.receive_wait_ticks().unwrap() * ns),
                ("tail_wait_ns", task.tail_wait_ticks().unwrap() * ns),
            ];
            let expected: HashMap<String, u64> = expected
                .map(|(name, value)| (name.to_owned(), value))
                .into();
            assert_eq!(slice.arguments, expected);
            let track = &decoded.tracks[&slice.track];
            let core = usize::from(task.core);
            assert_eq!(track.thread, trace.session().core_name(core));
        }
    }
}

#[test]
fn the_aicpu_view_runs_from_dispatch_to_finish_below_its_thread() {
    let trace = synth(Chip::A2a3, 3000, 1);
    let (decoded, _) = export(&trace, &Options::default());
    let mut stays = HashMap::new();
    for slice in &decoded.slices {
        let process = &decoded.tracks[&slice.track].process;
        if let Some(thread) = process.strip_prefix("AICPU thread ") {
            stays.insert(slice.arguments["task_id"], (slice, thread.to_owned()));
        }
    }
    assert_eq!(stays.len(), 3000);
    for task in trace.tasks() {
        let (slice, thread) = &stays[&task.task_id];
        assert_eq!(slice.start_ns, task.dispatch_ticks * 20);
        assert_eq!(slice.end_ns, task.finish_ticks * 20);
        let core = trace.session().cores[usize::from(task.core)];
        assert_eq!(*thread, core.thread.unwrap().to_string());
    }
    let options = Options {
        aicpu_tracks: false,
        ..Options::default()
    };
    let (decoded, _) = export(&trace, &options);
    assert_eq!(decoded.slices.len(), 3000);
}

#[test]
fn every_edge_is_one_flow_from_producer_to_consumer() {
    let trace = synth(Chip::A5, 4000, 3);
    let (decoded, written) = export(&trace, &Options::default());
    let mut flows: Vec<(u64, u64)> = Vec::new();
    let mut begins = HashMap::new();
    for slice in &decoded.slices {
        for &flow in &slice.flows {
            assert!(
                begins.insert(flow, slice).is_none(),
                "flow {flow} begins twice"
            );
        }
    }
    for slice in &decoded.slices {
        for flow in &slice.ending_flows {
            let producer = begins.remove(flow).expect("a flow that ends has begun");
            assert!(producer.end_ns <= slice.start_ns);
            flows.push((producer.arguments["task_id"], slice.arguments["task_id"]));
        }
    }
    assert!(begins.is_empty(), "flows without an end: {}", begins.len());
    flows.sort_unstable();
    let mut edges: Vec<_> = trace.edges().iter().collect();
    edges.sort_unstable();
    assert_eq!(flows, edges);
    assert_eq!(
        (written.flows, written.undrawn_flows),
        (edges.len() as u64, 0)
    );
    let options = Options {
        flows: false,
        ..Options::default()
    };
    let (decoded, written) = export(&trace, &options);
    assert!(decoded.slices.iter().all(|slice| slice.flows.is_empty()));
    assert_eq!(written.flows, 0);
}

fn task(task_id: u64, core: u16, start_ticks: u64, end_ticks: u64) -> Task {
    Task {
        task_id,
        core,
        core_type: CoreType::Aiv,
        start_ticks,
        end_ticks,
        ..Task::default()
    }
}

fn trace_of(tasks: Vec<Task>, edges: &[(u64, u64)]) -> Trace {
    Trace::new(TraceParts {
        session: Session::named("a2a3sim", 50_000_000),
        tasks,
        edges: EdgeTable::named(edges.iter().copied()).unwrap(),
        ..TraceParts::default()
    })
}

#[test]
fn a_task_of_several_rows_is_left_at_the_last_and_met_at_the_first() {
    let tasks = vec![
        task(1, 0, 10, 30),
        task(1, 1, 12, 50),
        task(1, 2, 14, 40),
        task(2, 0, 70, 80),
        task(2, 1, 60, 90),
        task(2, 2, 65, 95),
    ];
    let trace = trace_of(tasks, &[(1, 2), (2, 77), (88, 1)]);
    let (decoded, written) = export(&trace, &Options::default());
    let from: Vec<&Slice> = decoded
        .slices
        .iter()
        .filter(|slice| !slice.flows.is_empty())
        .collect();
    let to = decoded
        .slices
        .iter()
        .filter(|slice| !slice.ending_flows.is_empty());
    let to: Vec<&Slice> = to.collect();
    assert_eq!((from.len(), to.len()), (1, 1));
    assert_eq!((from[0].start_ns, to[0].start_ns), (12 * 20, 60 * 20));
    assert_eq!(from[0].flows, to[0].ending_flows);
    // The edges to and from tasks that are not there cannot be drawn.
    assert_eq!((written.flows, written.undrawn_flows), (1, 2));
}

#[test]
fn overlapping_slices_never_share_a_track() {
    let mut tasks: Vec<Task> = (0..60).map(|id| task(id, 0, 100 + id, 1000 + id)).collect();
    tasks.push(task(60, 0, 5000, 5001));
    let trace = trace_of(tasks, &[]);
    // The decoder panics when a slice begins inside another of its track.
    let (decoded, written) = export(&trace, &Options::default());
    assert_eq!(written.slices, 33);
    assert_eq!(written.instants, 28);
    assert_eq!(written.overlapping_tasks, 59);
    let tracks: std::collections::HashSet<u64> =
        decoded.slices.iter().map(|slice| slice.track).collect();
    assert_eq!(tracks.len(), 32);
}

#[test]
fn half_known_times_become_instants_and_keep_their_flows() {
    let tasks = vec![task(1, 0, 0, 30), task(2, 0, 50, 40), task(3, 0, 0, 0)];
    let trace = trace_of(tasks, &[(1, 2), (2, 3)]);
    let (decoded, written) = export(&trace, &Options::default());
    assert_eq!(
        (written.slices, written.instants, written.undrawn_tasks),
        (0, 2, 1)
    );
    assert_eq!((written.flows, written.undrawn_flows), (1, 1));
    let points: Vec<u64> = decoded
        .instants
        .iter()
        .filter(|instant| instant.name.starts_with("func_"))
        .map(|instant| instant.at_ns)
        .collect();
    assert_eq!(points, [30 * 20, 50 * 20]);
    let run = decoded.run();
    assert_eq!(run.numbers["undrawn_tasks"], 1);
}

#[test]
fn lost_records_are_marked_where_the_tokens_jump_and_at_the_end() {
    let with_token = |token, start| Task {
        token,
        ..task(u64::from(token), 0, start, start + 5)
    };
    let mut verdict = Verdict::new(1);
    verdict.find(FindingKind::Dropped, 7, "7 records dropped on core 0");
    verdict.cores.push(CoreCounts {
        kind: Kind::TASK,
        thread: 0,
        core: Some(0),
        dispatched: 10,
        counts: Counts {
            total: 10,
            collected: 3,
            dropped: Dropped {
                no_buffer: 7,
                no_arena: 0,
                other: 0,
            },
            mismatched: 0,
        },
    });
    let trace = Trace::new(TraceParts {
        session: Session::named("a2a3sim", 50_000_000),
        tasks: vec![
            with_token(16, 100),
            with_token(20, 200),
            with_token(21, 300),
        ],
        verdict: Some(verdict),
        ..TraceParts::default()
    });
    let (decoded, written) = export(&trace, &Options::default());
    let marks: Vec<(u64, &str)> = decoded
        .instants
        .iter()
        .filter(|instant| instant.name.contains("lost"))
        .map(|instant| (instant.at_ns, instant.name.as_str()))
        .collect();
    assert_eq!(
        marks,
        [
            (200 * 20, "3 records lost before this task"),
            (305 * 20, "4 records lost after this"),
        ]
    );
    assert_eq!(written.lost_records, 7);
    let run = decoded.run();
    assert_eq!(run.name, "verdict: lossy");
    assert_eq!(run.texts["finding"], "7 records dropped on core 0");
}

#[test]
fn a_reference_run_shows_its_phases() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../trace/tests/data/reference_sim_paged_attention");
    let trace = Trace::open(path).unwrap();
    let (decoded, written) = export(&trace, &Options::default());
    assert_eq!((written.slices, written.flows), (12, 14));
    let on = |thread: &str| {
        let slices = decoded.slices.iter();
        slices
            .filter(|slice| decoded.tracks[&slice.track].thread == thread)
            .count()
    };
    let rows = |thread| trace.scheduler_phases(thread).count();
    assert_eq!(on("scheduler"), trace.threads().map(rows).sum::<usize>());
    let rows = |thread| trace.orchestrator_phases(thread).count();
    let rows = trace.threads().map(rows).sum::<usize>();
    assert_eq!(on("orchestrator"), rows);
    assert!(rows > 0);
}

#[test]
fn the_orchestrators_totals_are_a_slice_where_it_has_no_phases() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/swimlane");
    let (decoded, _) = export(
        &Trace::open(data.join("noorchphases")).unwrap(),
        &Options::default(),
    );
    let on = |decoded: &Decoded| -> Vec<(String, u64, HashMap<String, u64>)> {
        let slices = decoded.slices.iter();
        let slices = slices.filter(|slice| decoded.tracks[&slice.track].thread == "orchestrator");
        let told = |slice: &Slice| {
            let lasted_ns = slice.end_ns - slice.start_ns;
            (slice.name.clone(), lasted_ns, slice.arguments.clone())
        };
        slices.map(told).collect()
    };
    let shown = on(&decoded);
    let [(name, lasted_ns, arguments)] = &shown[..] else {
        panic!("{shown:?}");
    };
    assert_eq!(name, "Orchestrator(75 tasks)");
    assert_eq!(*lasted_ns, 4_014_000);
    assert_eq!(arguments["submit_count"], 75);
    assert_eq!(arguments["alloc_ns"], 44_000);
    // Whose steps are known is not drawn twice.
    let (decoded, _) = export(
        &Trace::open(data.join("voting")).unwrap(),
        &Options::default(),
    );
    assert!(
        on(&decoded)
            .iter()
            .all(|(name, ..)| !name.starts_with("Orchestrator"))
    );
}

#[test]
fn a_rate_that_does_not_divide_a_second_counts_nanoseconds() {
    let trace = Trace::new(TraceParts {
        session: Session::named("other", 24_000_000),
        tasks: vec![task(1, 0, 1_000_001, 1_000_003)],
        ..TraceParts::default()
    });
    let (decoded, _) = export(&trace, &Options::default());
    assert_eq!(decoded.slices[0].start_ns, 41_666_708);
    assert_eq!(decoded.slices[0].end_ns, 41_666_791);
}

#[test]
fn times_beyond_63_bits_of_nanoseconds_are_refused() {
    let trace = trace_of(vec![task(1, 0, 1, u64::MAX / 20)], &[]);
    let mut out = Vec::new();
    let error = perfetto::write(&trace, &Options::default(), &mut out).unwrap_err();
    assert!(matches!(error, ExportError::TimeOutOfRange { .. }));
    assert!(out.is_empty());
}

#[test]
fn an_empty_trace_is_a_trace() {
    let (decoded, written) = export(&Trace::new(TraceParts::default()), &Options::default());
    assert_eq!((decoded.slices.len(), written.slices), (0, 0));
    assert_eq!(decoded.run().name, "no verdict");
}

#[test]
fn a_task_with_three_arguments_and_one_edge_takes_at_most_70_bytes() {
    let lean = Options {
        arguments: Arguments::Three,
        aicpu_tracks: false,
        flows: true,
    };
    let bytes_per_task = |edges| {
        let trace = synth(Chip::A2a3, 200_000, edges);
        let written = perfetto::write(&trace, &lean, std::io::sink()).unwrap();
        written.bytes / 200_000
    };
    let (one, two) = (bytes_per_task(1), bytes_per_task(2));
    assert!(one < 70, "{one} bytes a task");
    assert!(two - one <= 20, "{} bytes an extra edge", two - one);
}

#[test]
fn threads_that_no_chip_has_take_no_room() {
    let session = Session {
        threads: u32::MAX - 1,
        ..Session::named("a2a3sim", 50_000_000)
    };
    let trace = Trace::new(TraceParts {
        session,
        ..TraceParts::default()
    });
    let (_, written) = export(&trace, &Options::default());
    assert!(written.bytes < 100_000);
}
