//! Files that the reference runtime wrote, and files it never would.

use super::{Folder, data, notes, read};
use lanescope_trace::{Chip, CoreType, Task, Trace, TraceError};

#[test]
fn the_vector_run_is_exact_to_the_tick() {
    let trace = Trace::open(data("reference_sim_vector")).unwrap();
    let session = trace.session();
    assert_eq!(session.ticks_per_second, 50_000_000);
    let origin = session.origin_ticks;
    let first = trace.tasks().find(|task| task.task_id == 0).unwrap();
    // 13.460 µs, 638.520 µs, 0.000 µs and 2199.400 µs at 20 ns a tick.
    assert_eq!(first.start_ticks - origin, 673);
    assert_eq!(first.end_ticks - origin, 31_926);
    assert_eq!(first.dispatch_ticks, origin);
    assert_eq!(first.finish_ticks - origin, 109_970);
    assert_eq!(first.receive_ticks, 0);
    assert_eq!((first.core, first.core_type), (3, CoreType::Aiv));
    let edges: Vec<_> = trace.edges().iter().collect();
    assert_eq!(edges, [(0, 1), (0, 2), (1, 3), (2, 3)]);
    assert_eq!(trace.dangling_edges(), 0);
}

#[test]
fn the_paged_attention_run_has_its_threads_and_phases() {
    let trace = Trace::open(data("reference_sim_paged_attention")).unwrap();
    let session = trace.session();
    assert_eq!(session.chip, Some(Chip::A2a3));
    assert_eq!((session.cores.len(), session.threads), (27, 3));
    assert_eq!(session.cores[4].thread, Some(1));
    assert_eq!(session.cores[0].core_type, CoreType::Aic);
    assert_eq!((trace.task_count(), trace.edges().len()), (12, 14));
    assert_eq!(trace.threads(), 0..4);
    assert!(trace.scheduler_phases(0).next().is_some());
    let orchestrated = |thread| trace.orchestrator_phases(thread).next().is_some();
    assert!(trace.threads().any(orchestrated));
    assert_eq!(trace.notes(), []);
}

#[test]
fn unknown_successors_are_kept_and_counted() {
    let trace = Trace::open(data("full.l2_perf_records.json")).unwrap();
    assert_eq!(trace.task_count(), 23);
    let stray = trace.edges().iter().filter(|&(_, to)| to == 1_000_003);
    assert_eq!(stray.count(), 3);
    assert!(trace.dangling_edges() >= 3);
    let totals = trace.orchestrator().unwrap();
    assert_eq!(totals.submit_count, 75);
    // 44.000 µs and 0.220 µs at 20 ns a tick.
    assert_eq!(totals.phase_ticks[1], 2200);
    assert_eq!(totals.phase_ticks[0], 11);
}

const ROW: &str = r#"{"task_id": 7, "func_id": 2, "core_id": 1, "core_type": "aiv",
    "start_time_us": 1.001, "end_time_us": 2.002, "dispatch_time_us": 0.0, "finish_time_us": 0.0,
    "fanout": [8, 9], "fanout_count": 2}"#;

#[test]
fn odd_nanoseconds_mean_the_faster_counter() {
    let trace = read(
        "given.json",
        format!(r#"{{"version": 1, "tasks": [{ROW}]}}"#),
    )
    .unwrap();
    assert_eq!(trace.session().ticks_per_second, 1_000_000_000);
    let task: Task = trace.tasks().next().unwrap();
    assert_eq!(task.run_ticks(), Some(1001));
    // Neither was seen: the AICPU half of the record is unknown, not at the base.
    assert_eq!((task.dispatch_ticks, task.finish_ticks), (0, 0));
    assert_eq!(task.head_wait_ticks(), None);
}

#[test]
fn rows_of_one_task_share_its_edges() {
    let other = ROW.replace("\"core_id\": 1", "\"core_id\": 5");
    let trace = read(
        "given.json",
        format!(r#"{{"tasks": [{ROW}, {other}], "version": 1}}"#),
    )
    .unwrap();
    assert_eq!(trace.task_count(), 2);
    assert_eq!(trace.edges().iter().collect::<Vec<_>>(), [(7, 8), (7, 9)]);
}

#[test]
fn negative_ids_wrap_and_wrapped_times_are_unknown() {
    let row = ROW.replace("\"task_id\": 7", "\"task_id\": -1");
    let row = row.replace("2.002", "368934881474191032.320");
    let trace = read(
        "given.json",
        format!(r#"{{"version": 1, "tasks": [{row}]}}"#),
    )
    .unwrap();
    let task = trace.tasks().next().unwrap();
    assert_eq!(task.task_id, u64::MAX);
    assert_eq!((task.end_ticks, task.run_ticks()), (0, None));
    let text = "time more than 104 days behind the file's base, taken as unknown";
    let mut notes = trace.notes().iter().filter(|note| note.text == text);
    assert_eq!(notes.next().unwrap().count, 1);
}

#[test]
fn times_before_the_base_have_their_place() {
    let row = ROW.replace("1.001", "-0.040").replace("2.002", "0.020");
    let trace = read(
        "given.json",
        format!(r#"{{"version": 1, "tasks": [{row}]}}"#),
    )
    .unwrap();
    let task = trace.tasks().next().unwrap();
    assert_eq!(trace.session().ticks_per_second, 50_000_000);
    assert_eq!(trace.session().origin_ticks - task.start_ticks, 2);
    assert_eq!(task.run_ticks(), Some(3));
    assert!(trace.notes().iter().all(|note| !note.text.contains("time")));
}

#[test]
fn times_without_a_place_are_counted() {
    let row = ROW
        .replace("1.001", "-1000000.0")
        .replace("2.002", "2.00204");
    let trace = read(
        "given.json",
        format!(r#"{{"version": 1, "tasks": [{row}]}}"#),
    )
    .unwrap();
    let task = trace.tasks().next().unwrap();
    assert_eq!((task.start_ticks, task.run_ticks()), (0, None));
    assert_eq!(
        notes(&trace),
        [
            (
                1,
                "time a second or more before the file's base, taken as unknown"
            ),
            (1, "time with parts of a nanosecond, rounded"),
        ]
    );
}

/// What a generator made up and the reference's own tools read: ends before starts, times below 0, ids below 0.
#[test]
fn made_up_records_are_read_whole() {
    for (name, tasks, edges) in [
        ("made_up_1", 5, 9),
        ("made_up_2", 5, 2),
        ("made_up_3", 5, 6),
    ] {
        let path = data(&format!(
            "../../../export/tests/data/swimlane/{name}/l2_perf_records.json"
        ));
        let trace = Trace::open(path).unwrap();
        assert_eq!(trace.task_count(), tasks, "{name}");
        assert_eq!(trace.edges().len(), edges, "{name}");
        assert!(trace.orchestrator().is_some(), "{name}");
        // What the converter makes of it has times beyond any clock, and names beyond ASCII.
        let merged = format!("../../../export/tests/data/swimlane/{name}/merged_swimlane.json");
        assert_eq!(
            Trace::open(data(&merged)).unwrap().task_count(),
            tasks,
            "{name}"
        );
    }
}

#[test]
fn phases_of_other_names_are_counted() {
    let step =
        |name: &str| format!(r#"{{"start_time_us": 1.0, "end_time_us": 2.0, "phase": "{name}"}}"#);
    let submission = |name: &str| {
        let rest = step(name).replace('}', ", \"submit_idx\": 0, \"task_id\": 7}");
        format!("[{rest}]")
    };
    let names = ["orch_sync", "unknown", "later"].map(submission).join(",");
    let steps = ["scan", "steal", "steal"].map(step).join(",");
    let text = format!(
        r#"{{"version": 2, "tasks": [], "aicpu_scheduler_phases": [[{steps}]],
            "aicpu_orchestrator_phases": [{names}]}}"#
    );
    let trace = read("given.json", text).unwrap();
    let phases: Vec<_> = trace
        .scheduler_phases(0)
        .map(|phase| phase.name())
        .collect();
    assert_eq!(phases, ["scan", "unknown", "unknown"]);
    let phases: Vec<_> = (0..3)
        .flat_map(|thread| trace.orchestrator_phases(thread))
        .map(|phase| phase.name())
        .collect();
    assert_eq!(phases, ["orch_sync", "unknown", "unknown"]);
    assert_eq!(
        notes(&trace),
        [
            (1, "orchestrator phase of an unknown name, as `later`"),
            (2, "scheduler phases of an unknown name, as `steal`"),
        ]
    );
}

#[test]
fn a_short_fanout_list_is_noted() {
    let row = ROW.replace("\"fanout_count\": 2", "\"fanout_count\": 300");
    let trace = read(
        "given.json",
        format!(r#"{{"version": 1, "tasks": [{row}]}}"#),
    )
    .unwrap();
    assert_eq!(trace.notes().len(), 1);
}

#[test]
fn rows_that_name_another_type_for_their_core_are_counted() {
    let row = |core_type: &str| ROW.replace("\"aiv\"", &format!("\"{core_type}\""));
    let rows = ["aic", "aiv", "aic", "aiv"].map(row).join(",");
    let text = format!(r#"{{"version": 1, "tasks": [{rows}]}}"#);
    let trace = read("given.json", text).unwrap();
    assert_eq!(trace.session().cores[1].core_type, CoreType::Aic);
    let what = "rows that name another type for their cores than was told before";
    let mut notes = trace.notes().iter().filter(|note| note.text == what);
    assert_eq!(notes.next().unwrap().count, 2);
}

#[test]
fn malformed_input_names_file_position_and_expectation() {
    let cases = [
        ("[1]", 1, "a trace event, an object"),
        ("{\"tasks\": []}", 1, "ends without `version`"),
        ("{\"version\": 1}", 1, "ends without `tasks`"),
        (
            "{\"version\": 3,\n\"tasks\": []}",
            1,
            "version 3, expected 1 or 2",
        ),
        (
            "{\"version\": 1,\n\"tasks\": {}}",
            2,
            "an array of task objects",
        ),
        (
            "{\"version\": 1,\n\"tasks\": [\n{\"task_id\": 1}]}",
            3,
            "ends without `core_type`",
        ),
        (
            "{\"version\": 1,\n\"tasks\": [{\"task_id\": \"x\"}]}",
            2,
            "a task id",
        ),
        ("{\"version\": 1,\n\"tasks\": [\n", 3, "the end of the file"),
        (
            "{\"version\": 1, \"tasks\": []} x",
            1,
            "expected the end of the file",
        ),
    ];
    for (text, line, expected) in cases {
        let error = read("given.json", text).unwrap_err();
        let TraceError::Malformed {
            line: found,
            message,
            ..
        } = &error
        else {
            panic!("{text}: {error:?}");
        };
        assert_eq!(*found, line, "{text}: {error}");
        assert!(message.contains(expected), "{text}: {error}");
        assert!(error.to_string().contains("given.json: line"), "{error}");
    }
    for (from, to, expected) in [
        ("\"aiv\"", "\"gpu\"", "expected `aic` or `aiv`"),
        ("\"core_id\": 1", "\"core_id\": 70000", "0 to 65535"),
        ("1.001", "\"1\"", "expected microseconds"),
    ] {
        let row = ROW.replace(from, to);
        let error = read(
            "given.json",
            format!(r#"{{"version": 1, "tasks": [{row}]}}"#),
        )
        .unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn only_a_file_that_was_cut_is_asked_for_whole() {
    let row = ROW.replace("\"aiv\"", "\"aiv\", \"x\": [1.5, true, \"\\n\"]");
    let text = format!(r#"{{"version": 1, "tasks": [{row}]}}"#);
    let hint = |text: &str| read("given.json", text).unwrap_err().hint();
    // Format and reader look at the whole text; it may end wherever it likes.
    for (length, _) in text.char_indices().skip(1) {
        let cut = &text[..length];
        // Half of an escape may as well be a wrong one.
        if !cut.ends_with('\\') {
            assert_eq!(
                hint(cut),
                Some("give the whole file, as it was written"),
                "{cut}"
            );
        }
    }
    for (from, to) in [
        ("\"version\": 1", "\"version\": 3"),
        ("\"tasks\"", "\"tasks\": [], \"tasks\""),
        ("\"core_id\": 1", "\"core_id\": 65536"),
        ("\"tasks\"", "\"task\""),
        ("]}", "]} x"),
        ("1.5", "1."),
        ("true", "tru"),
    ] {
        assert_eq!(hint(&text.replacen(from, to, 1)), None, "{to}");
    }
}

#[test]
fn a_file_that_is_refused_leaves_nothing() {
    let folder = Folder::new();
    let path = folder.file("given.json", "{\"version\": 1, \"tasks\": [{}]}");
    assert!(Trace::open(&path).is_err());
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1);
}

#[test]
fn a_missing_file_is_named() {
    let error = Trace::open("/nowhere/x.json").unwrap_err();
    assert!(error.to_string().contains("/nowhere/x.json"), "{error}");
}
