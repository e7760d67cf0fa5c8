//! The capture: every record in place, for each workload, level, ring size and corner of the protocol.

use lanescope::{
    Arg, Collectors, CoreType, Graph, Kind, Outcome, RunOptions, RuntimeError, Session,
    SessionOptions,
};
use lanescope::{TensorId, Token, VERDICT_FILE_NAME, Verdict};
use lanescope_abi::token::TOKEN_LAST;
use lanescope_conformance::{CaseResult, Folder, Need, Stand, SuiteCase, timeline, vector};
use lanescope_examples::WorkloadOptions;
use lanescope_trace::{Task, Trace};
use std::collections::BTreeMap;
use std::path::Path;

pub const CASES: &[SuiteCase] = &[
    SuiteCase::new(
        "capture::a_small_graph_is_exact_at_every_level",
        &[Need::Programs],
        a_small_graph_is_exact_at_every_level,
    )
    .for_every_ring_size(),
    SuiteCase::new(
        "capture::nothing_is_captured_at_level_0",
        &[Need::Programs],
        nothing_is_captured_at_level_0,
    ),
    SuiteCase::new(
        "capture::vector_is_exact",
        &[Need::Programs],
        vector_is_exact,
    )
    .for_every_ring_size(),
    SuiteCase::new("capture::bgemm_is_exact", &[Need::Programs], bgemm_is_exact)
        .for_every_ring_size(),
    SuiteCase::new(
        "capture::paged_attention_is_exact",
        &[Need::Programs],
        paged_attention_is_exact,
    )
    .for_every_ring_size(),
    SuiteCase::new(
        "capture::replay_is_exact",
        &[Need::Programs],
        replay_is_exact,
    )
    .for_every_ring_size(),
    SuiteCase::new(
        "capture::tokens_wrap_without_losing_a_record",
        &[Need::Programs],
        tokens_wrap_without_losing_a_record,
    )
    .for_every_ring_size(),
    SuiteCase::new(
        "capture::small_buffers_rotate_often_and_lose_nothing",
        &[Need::Programs],
        small_buffers_rotate_often_and_lose_nothing,
    )
    .for_every_ring_size(),
];

/// Tasks of the small graph by id, with their function and what they wait for.
const TASKS: [(u64, u32, &[u64]); 6] = [
    (1 << 40, 7, &[]),
    (3, 7, &[1 << 40]),
    (5, 9, &[1 << 40]),
    (u64::MAX - 1, 7, &[3, 5]),
    (100, 9, &[]),
    (101, 7, &[100]),
];
const COUNT: u16 = 96;

/// A diamond and a chain of two, with ids that are no indices.
fn small_graph(stand: &Stand) -> Result<(Graph, TensorId), RuntimeError> {
    let mut graph = Graph::new("small");
    let add = graph.function("add", 7, stand.build().kernel("vector_add")?);
    let multiply = graph.function("mul", 9, stand.build().kernel("vector_mul")?);
    let ones: Vec<u8> = (0..COUNT)
        .flat_map(|i| f32::from(i).to_le_bytes())
        .collect();
    let data = graph.tensor_from("data", &ones.repeat(7));
    let tile = |number: usize| Arg::TensorAt(data, (number * ones.len()) as u64);
    let count = Arg::Scalar(u64::from(COUNT));
    // Tile 0 is the input, tile n + 1 the result of the n-th task.
    let inputs = [(0, 0), (1, 0), (1, 0), (2, 3), (0, 0), (5, 0)];
    let mut ids = BTreeMap::new();
    for (number, ((task_id, func_id, _), (left, right))) in
        TASKS.into_iter().zip(inputs).enumerate()
    {
        let function = if func_id == 7 { add } else { multiply };
        let args = [tile(number + 1), tile(left), tile(right), count];
        let task = graph.task_with_id(function, CoreType::Aiv, &args, task_id);
        ids.insert(task_id, task);
    }
    for (task_id, _, waits_for) in TASKS {
        for producer in waits_for {
            graph.edge(ids[producer], ids[&task_id]);
        }
    }
    Ok((graph, data))
}

/// The tiles as the host computes them.
fn expected_tiles() -> Vec<u8> {
    let tile = |value: &dyn Fn(f32) -> f32| -> Vec<u8> {
        (0..COUNT)
            .flat_map(|i| value(f32::from(i)).to_le_bytes())
            .collect()
    };
    [
        tile(&|x| x),
        tile(&|x| x + x),
        tile(&|x| x + x + x),
        tile(&|x| (x + x) * x),
        tile(&|x| x + x + x + (x + x) * x),
        tile(&|x| x * x),
        tile(&|x| x * x + x),
    ]
    .concat()
}

fn a_small_graph_is_exact_at_every_level(stand: &Stand) -> CaseResult {
    let (graph, data) = small_graph(stand)?;
    let mut session = stand.session()?;
    for (run_id, level) in (1..).zip([1, 2, 3, 4]) {
        let folder = Folder::new()?;
        let options = RunOptions {
            collectors: Collectors::swimlane(level),
            capture: Some(folder.path().to_owned()),
            ..RunOptions::default()
        };
        let outcome = session.run(&graph, &options)?;
        assert_eq!(session.read(data)?, expected_tiles(), "level {level}");
        let verdict = &outcome.verdict;
        assert_eq!(
            verdict.outcome,
            Outcome::Exact,
            "level {level}: {:?}",
            verdict.findings
        );
        let written = std::fs::read_to_string(folder.path().join(VERDICT_FILE_NAME))?;
        assert_eq!(&serde_json::from_str::<Verdict>(&written)?, verdict);
        let mut kinds = verdict.kinds.iter();
        let tasks = kinds.find(|kind| kind.kind == Kind::TASK);
        let totals = tasks.ok_or("the verdict knows of no tasks")?.counts;
        assert_eq!(
            (totals.total, totals.collected, totals.accounted()),
            (6, 6, 6)
        );
        assert_eq!((outcome.run_id, verdict.run_id), (run_id, run_id));
        check_records(stand, &Trace::open(folder.path())?, level, run_id);
    }
    Ok(())
}

/// Every task once, with its function, on a core of its type, with the token that was due.
fn check_records(stand: &Stand, trace: &Trace, level: u32, run_id: u32) {
    let session = trace.session();
    assert_eq!(session.level, Some(level));
    assert_eq!(session.ring_size, Some(stand.build().ring_size()));
    assert_eq!(session.platform, stand.platform());
    let mut tasks: Vec<Task> = trace.tasks().collect();
    tasks.sort_by_key(|task| task.task_id);
    let mut expected: Vec<(u64, u32)> = TASKS.map(|(task, func, _)| (task, func)).into();
    expected.sort_unstable();
    let found: Vec<(u64, u32)> = tasks
        .iter()
        .map(|task| (task.task_id, task.func_id))
        .collect();
    assert_eq!(found, expected, "level {level}");
    assert_eq!(trace.functions().name(7), Some("add"));
    assert_eq!(trace.functions().name(9), Some("mul"));
    let mut dispatched = BTreeMap::new();
    for task in &tasks {
        assert_eq!(task.run_id, run_id);
        assert_eq!(task.core_type, CoreType::Aiv);
        dispatched
            .entry(task.core)
            .or_insert_with(Vec::new)
            .push(task.token);
        let host_times = [task.dispatch_ticks, task.finish_ticks];
        let core_times = [task.receive_ticks, task.start_ticks, task.end_ticks];
        assert!(core_times[0] > 0 && core_times.is_sorted(), "{task:?}");
        if level == 1 {
            assert_eq!(host_times, [0; 2], "{task:?}");
        } else {
            assert!(host_times[0] > 0 && host_times[0] <= core_times[0]);
            assert!(host_times[1] >= core_times[2], "{task:?}");
        }
    }
    for (core, mut tokens) in dispatched {
        tokens.sort_unstable();
        let first = session.cores[usize::from(core)].first_token;
        let due: Vec<u32> = (first.expect("known")..).take(tokens.len()).collect();
        assert_eq!(tokens, due, "core {core}");
    }
    let mut edges: Vec<(u64, u64)> = trace.edges().iter().collect();
    edges.sort_unstable();
    let mut due: Vec<(u64, u64)> = TASKS
        .iter()
        .flat_map(|(task, _, waits)| waits.iter().map(|producer| (*producer, *task)))
        .collect();
    due.sort_unstable();
    assert_eq!(edges, due);
}

fn nothing_is_captured_at_level_0(stand: &Stand) -> CaseResult {
    let (graph, data) = small_graph(stand)?;
    let mut session = stand.session()?;
    let outcome = session.run(&graph, &RunOptions::default())?;
    assert_eq!(session.read(data)?, expected_tiles());
    assert_eq!(outcome.verdict.outcome, Outcome::Exact);
    assert_eq!(outcome.dispatched.iter().sum::<u64>(), 6);
    assert_eq!(outcome.completed, outcome.dispatched);
    assert_eq!((outcome.capture, outcome.verdict.totals.total), (None, 0));
    let folder = Folder::new()?;
    let options = RunOptions {
        capture: Some(folder.path().to_owned()),
        ..RunOptions::default()
    };
    let error = session.run(&graph, &options).expect_err("level 0");
    assert!(matches!(error, RuntimeError::Option { .. }), "{error}");
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
    Ok(())
}

fn vector_is_exact(stand: &Stand) -> CaseResult {
    workload_is_exact(stand, "vector")
}

fn bgemm_is_exact(stand: &Stand) -> CaseResult {
    workload_is_exact(stand, "bgemm")
}

fn paged_attention_is_exact(stand: &Stand) -> CaseResult {
    workload_is_exact(stand, "paged-attention")
}

fn replay_is_exact(stand: &Stand) -> CaseResult {
    workload_is_exact(stand, "replay")
}

fn workload_is_exact(stand: &Stand, name: &str) -> CaseResult {
    let recording = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/data/reference_paged_attention.l2_perf_records.json");
    let mut workload = WorkloadOptions::named(name, Some(&recording))?;
    if let WorkloadOptions::Replay(options) = &mut workload {
        options.tasks = Some(600);
    }
    let finished = stand.case(workload).run_exact();
    let cores = finished.trace.session().cores.len();
    assert_eq!(cores, stand.info().clusters as usize * 3);
    assert!(
        (200..=2000).contains(&finished.task_count),
        "{} tasks",
        finished.task_count
    );
    Ok(())
}

fn tokens_wrap_without_losing_a_record(stand: &Stand) -> CaseResult {
    const TASKS: u64 = 5000;
    let case = stand.case(vector(TASKS));
    let built = case.graph(stand.build())?;
    let options = SessionOptions {
        first_token: Token::new(TOKEN_LAST - 20).expect("a token"),
        ..SessionOptions::default()
    };
    let mut session = Session::open(stand.open()?, stand.build(), &options)?;
    let finished = case.run_in(&mut session, &built)?;
    let faults = timeline::faults(&finished);
    assert!(faults.is_empty(), "{faults:?}");
    let count = |range: std::ops::RangeInclusive<u32>| {
        let tokens = finished.trace.tasks().map(|task| task.token);
        tokens.filter(|token| range.contains(token)).count() as u64
    };
    let before = count(TOKEN_LAST - 20..=TOKEN_LAST);
    let after = count(Token::FIRST.raw()..=Token::FIRST.raw() + 5000);
    assert!(before > 0 && after > 0, "{before} before, {after} after");
    assert_eq!(before + after, TASKS);
    Ok(())
}

fn small_buffers_rotate_often_and_lose_nothing(stand: &Stand) -> CaseResult {
    const TASKS: u64 = 10_000;
    let mut case = stand.case(vector(TASKS));
    case.run.collectors.swimlane.lanes.records_per_buffer = Some(16);
    case.run.collectors.swimlane.lanes.buffers = Some(4);
    let finished = case.run_exact();
    let lanes = &finished.outcome.verdict.lanes;
    let rotations: u64 = lanes.iter().map(|lane| lane.buffers).sum();
    assert!(rotations >= TASKS / 16, "{rotations} buffers");
    Ok(())
}
