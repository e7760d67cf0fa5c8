//! What a replay makes of recordings: shared ids, edges, repetition, durations, and files that are
//! no recordings.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use lanescope_abi::{Chip, CoreType};
use lanescope_examples::{AnyError, Built, Replay, ReplayOptions, Target, Workload, WorkloadError};
use lanescope_runtime::{Arg, TaskId};
use std::collections::{BTreeSet, HashSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One row of a recording.
struct Row {
    id: i128,
    core_type: &'static str,
    duration_ns: u64,
    fanout: Vec<i128>,
}

fn row(id: i128, fanout: &[i128]) -> Row {
    Row {
        id,
        core_type: "aiv",
        duration_ns: 2000,
        fanout: fanout.to_vec(),
    }
}

/// Writes a recording to a file of its own.
fn written(name: &str, rows: &[Row]) -> PathBuf {
    let rows: Vec<String> = rows
        .iter()
        .enumerate()
        .map(|(place, row)| {
            let end = place as u64 * 1000 + row.duration_ns;
            format!(
                r#"{{"task_id": {}, "func_id": 3, "core_id": {}, "core_type": "{}", "ring_id": 0,
                    "start_time_us": {place}.000, "end_time_us": {}.{:03}, "duration_us": 1.0,
                    "dispatch_time_us": 0.0, "finish_time_us": 0.0, "fanout": {:?}, "fanout_count": {}}}"#,
                row.id,
                place % 72,
                row.core_type,
                end / 1000,
                end % 1000,
                row.fanout,
                row.fanout.len(),
            )
        })
        .collect();
    let text = format!(r#"{{"version": 1, "tasks": [{}]}}"#, rows.join(",\n"));
    file(name, &text)
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.json"));
    std::fs::write(&path, text).unwrap();
    path
}

fn recorded(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    folder.join(format!("{name}.l2_perf_records.json"))
}

fn open(file: PathBuf, tasks: Option<u64>) -> Result<Replay, WorkloadError> {
    Replay::open(&ReplayOptions { file, tasks })
}

fn build(file: PathBuf, tasks: Option<u64>, chip: Chip) -> Built {
    let kernels = |_: &str| Ok::<_, AnyError>(Arc::from([1u8].as_slice()));
    let target = Target {
        kernels: &kernels,
        chip: chip.info(),
    };
    let built = open(file, tasks).unwrap().build(&target).unwrap();
    built.graph.check().unwrap();
    built
}

fn refusal(file: PathBuf) -> String {
    let error = open(file, None).map(drop).unwrap_err();
    assert!(matches!(error, WorkloadError::Recording { .. }), "{error}");
    error.to_string()
}

fn identity(built: &Built, task: usize) -> u64 {
    let task = TaskId::from_index(u32::try_from(task).unwrap());
    built.graph.task_identity(task).unwrap()
}

fn edges(built: &Built) -> BTreeSet<(usize, usize)> {
    let edges = built.graph.edge_list().iter();
    edges.map(|(from, to)| (from.index(), to.index())).collect()
}

fn ticks(built: &Built, task: u32) -> u64 {
    match built.graph.task_args(TaskId::from_index(task)).unwrap()[0] {
        Arg::Scalar(ticks) => ticks,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rows_keep_id_function_core_type_and_edges() {
    let built = build(recorded("reference_paged_attention"), None, Chip::A2a3);
    assert_eq!(built.graph.task_count(), 12);
    assert_eq!(built.graph.edge_count(), 14);
    assert_eq!(identity(&built, 0), 8_589_934_592);
    let cubes = (0..12).filter(|&task| {
        built.graph.task_core_type(TaskId::from_index(task)) == Some(CoreType::Aic)
    });
    assert_eq!(cubes.count(), 6);
    assert_eq!(built.warnings, [""; 0]);
}

#[test]
fn durations_are_converted_to_the_ticks_of_the_chip() {
    // 625.060 microseconds at 50 MHz and at 1 GHz.
    let a2a3 = build(recorded("reference_vector"), None, Chip::A2a3);
    assert_eq!(ticks(&a2a3, 0), 31_253);
    let a5 = build(recorded("reference_vector"), None, Chip::A5);
    assert_eq!(ticks(&a5, 0), 625_060);
}

#[test]
fn a_duration_is_rounded_and_never_zero() {
    let mut rows = [row(1, &[]), row(2, &[]), row(3, &[])];
    rows[0].duration_ns = 0;
    rows[1].duration_ns = 29;
    rows[2].duration_ns = 31;
    let built = build(written("rounded", &rows), None, Chip::A2a3);
    assert_eq!([0, 1, 2].map(|task| ticks(&built, task)), [1, 1, 2]);
}

#[test]
fn successors_without_a_row_are_dropped_and_counted() {
    let built = build(recorded("reference_mixed"), None, Chip::A2a3);
    assert_eq!(built.graph.edge_count(), 10);
    let warning = "5 edges were dropped: their task is not in the recording";
    assert_eq!(built.warnings, [warning]);
}

#[test]
fn rows_with_one_id_share_its_edges() {
    // Two rows of 5, which only one of them says is before 9; three rows of 9.
    let rows = [
        row(5, &[9]),
        row(5, &[]),
        row(9, &[12]),
        row(9, &[12]),
        row(9, &[12]),
        row(12, &[]),
    ];
    let built = build(written("shared", &rows), None, Chip::A2a3);
    let expected = [
        (0, 2),
        (0, 3),
        (0, 4),
        (1, 2),
        (1, 3),
        (1, 4),
        (2, 5),
        (3, 5),
        (4, 5),
    ];
    assert_eq!(edges(&built), BTreeSet::from(expected));
    let ids: Vec<_> = (0..6).map(|task| identity(&built, task)).collect();
    assert_eq!(ids, [5, 5, 9, 9, 9, 12]);
}

#[test]
fn many_rows_on_both_sides_go_through_the_first_row_of_the_consumer() {
    let mut rows: Vec<_> = (0..65).map(|_| row(1, &[2])).collect();
    rows.extend((0..65).map(|_| row(2, &[])));
    let built = build(written("narrowed", &rows), None, Chip::A5);
    let through = (0..65).map(|producer| (producer, 65));
    let behind = (66..130).map(|consumer| (65, consumer));
    assert_eq!(edges(&built), through.chain(behind).collect());
    assert!(built.warnings[0].starts_with("1 edges between tasks of many rows"));
    // The marks of 61 of the 65 predecessors fit the arguments.
    let args = built.graph.task_args(TaskId::from_index(65)).unwrap();
    assert_eq!((args.len(), args[2]), (64, Arg::Scalar(61)));
}

#[test]
fn producers_come_first_whatever_their_ids() {
    let rows = [row(1, &[]), row(2, &[1]), row(3, &[2])];
    let file = written("backwards", &rows);
    let built = build(file.clone(), Some(5), Chip::A2a3);
    // The second copy is cut behind two tasks: those that need nothing else.
    let ids: Vec<_> = (0..5).map(|task| identity(&built, task)).collect();
    assert_eq!(ids, [3, 2, 1, 7, 6]);
    assert_eq!(edges(&built), BTreeSet::from([(0, 1), (1, 2), (3, 4)]));
    assert_eq!(build(file, Some(2), Chip::A2a3).graph.task_count(), 2);
}

#[test]
fn copies_keep_the_high_half_of_an_id() {
    let built = build(recorded("reference_paged_attention"), Some(40), Chip::A2a3);
    let ids: HashSet<_> = (0..40).map(|task| identity(&built, task)).collect();
    assert_eq!(ids.len(), 40);
    assert!(ids.iter().all(|id| id >> 32 == 2));
}

#[test]
fn ids_too_large_to_shift_are_renumbered() {
    let rows = [row(-1, &[7]), row(7, &[]), row(7, &[])];
    let once = build(written("negative", &rows), None, Chip::A2a3);
    assert_eq!(identity(&once, 0), u64::MAX);
    let twice = build(written("negative_twice", &rows), Some(6), Chip::A2a3);
    let ids: Vec<_> = (0..6).map(|task| identity(&twice, task)).collect();
    assert_eq!(ids, [1, 0, 0, 3, 2, 2]);
    assert_eq!(twice.warnings.len(), 1);
}

#[test]
fn a_cycle_is_refused_and_names_its_tasks() {
    let rows = [
        row(1, &[4]),
        row(4, &[30]),
        row(30, &[200]),
        row(200, &[4]),
        row(201, &[]),
    ];
    let text = refusal(written("cycle", &rows));
    let expected = "task 4 waits for itself, expected no cycle: 4 -> 30 -> 200 -> 4";
    assert!(text.ends_with(expected), "{text}");
    let text = refusal(written("loop", &[row(6, &[6])]));
    assert!(
        text.ends_with("task 6 waits for itself, expected no cycle: 6 -> 6"),
        "{text}"
    );
}

#[test]
fn a_long_cycle_is_cut_short_in_the_message() {
    let rows: Vec<_> = (0..1000).map(|id| row(id, &[(id + 1) % 1000])).collect();
    let text = refusal(written("long_cycle", &rows));
    assert!(
        text.ends_with("0 -> 1 -> 2 -> 3 -> 4 -> 5 -> 6 -> 7 -> ... -> 0"),
        "{text}"
    );
}

/// An error with what is behind it, as the command prints it.
fn whole(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[test]
fn files_that_are_no_recordings_are_refused_with_their_name() {
    let good = std::fs::read_to_string(recorded("reference_vector")).unwrap();
    let cases = [
        ("empty", String::new()),
        ("not_json", "ELF".to_owned()),
        ("array", "[]".to_owned()),
        ("no_tasks", r#"{"version": 1}"#.to_owned()),
        ("no_version", r#"{"tasks": []}"#.to_owned()),
        ("no_rows", r#"{"version": 1, "tasks": []}"#.to_owned()),
        (
            "other_version",
            good.replace("\"version\": 1", "\"version\": 9"),
        ),
        ("other_core", good.replace("\"aiv\"", "\"gpu\"")),
        (
            "text_id",
            good.replace("\"task_id\": 2", "\"task_id\": \"2\""),
        ),
        ("no_time", good.replace("638.520", "null")),
        ("cut", good[..good.len() / 2].to_owned()),
        ("more", format!("{good} {good}")),
    ];
    for (name, text) in cases {
        let path = file(&format!("bad_{name}"), &text);
        let error = open(path.clone(), None).map(drop).unwrap_err();
        let text = whole(&error);
        let path = path.display().to_string();
        let (_, reason) = text.split_once(&path).unwrap_or_else(|| panic!("{text}"));
        assert!(reason.len() > ": ".len(), "{text}");
    }
}

#[test]
fn a_file_that_is_not_there_is_refused_with_its_name() {
    let error = open(PathBuf::from("/nowhere/l2_perf_records.json"), None).map(drop);
    let text = error.unwrap_err().to_string();
    assert!(text.contains("/nowhere/l2_perf_records.json"), "{text}");
}

#[test]
fn too_many_tasks_are_refused() {
    for tasks in [0, u64::MAX] {
        let error = open(recorded("reference_vector"), Some(tasks)).map(drop);
        assert!(
            matches!(error, Err(WorkloadError::Size { .. })),
            "{error:?}"
        );
    }
}
