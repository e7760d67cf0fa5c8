//! Chrome trace JSON of known and unknown writers.

use super::{data, read};
use lanescope_trace::{Trace, TraceError};

#[test]
fn the_references_trace_is_the_run_it_was_made_of() {
    let merged = Trace::open(data("import/merged_swimlane.json")).unwrap();
    let records = Trace::open(data("reference_sim_vector/l2_perf_records.json")).unwrap();
    let of = |trace: &Trace| {
        let mut tasks: Vec<_> = trace
            .tasks()
            .map(|task| {
                let times = [
                    task.dispatch_ticks,
                    task.start_ticks,
                    task.end_ticks,
                    task.finish_ticks,
                ];
                let us = times.map(|ticks| (ticks - trace.session().origin_ticks) * 20);
                (task.task_id, task.func_id, task.core, us)
            })
            .collect();
        tasks.sort_unstable();
        tasks
    };
    assert_eq!(merged.session().ticks_per_second, 50_000_000);
    assert_eq!(of(&merged), of(&records));
    assert!(merged.edges().iter().eq(records.edges().iter()));
}

#[test]
fn slices_of_any_program_are_tasks_of_a_core_for_each_thread() {
    let text = r#"[
        {"ph": "M", "pid": 1, "tid": 7, "name": "thread_name", "args": {"name": "main"}},
        {"ph": "B", "pid": 1, "tid": 7, "name": "outer", "ts": "1.5", "args": {"token": "x"}},
        {"ph": "X", "pid": "p", "tid": "t", "name": "other", "ts": 1.001, "dur": "2.002", "args": {"task_id": []}},
        {"ph": "B", "pid": 1, "tid": 7, "name": "inner", "ts": 2, "args": {"x": {"y": [1]}}},
        {"ph": "E", "pid": 1, "tid": 7, "ts": 3},
        {"ph": "E", "pid": 1, "tid": 7, "ts": 4.0005},
        {"ph": "E", "pid": 1, "tid": 7, "ts": 5},
        {"ph": "C", "pid": 1, "ts": 5, "args": {"v": 1}}]"#;
    let trace = read("trace.json", text).unwrap();
    let origin = trace.session().origin_ticks;
    let mut tasks: Vec<_> = trace
        .tasks()
        .map(|task| {
            let name = trace.functions().label(task.func_id).into_owned();
            (
                name,
                task.core,
                task.start_ticks - origin,
                task.run_ticks().unwrap(),
            )
        })
        .collect();
    tasks.sort_unstable();
    assert_eq!(
        tasks,
        [
            ("inner".to_owned(), 1, 2000, 1000),
            ("other".to_owned(), 0, 1001, 2002),
            ("outer".to_owned(), 1, 1500, 2501),
        ]
    );
    let notes: Vec<_> = trace
        .notes()
        .iter()
        .map(|note| (note.count, note.text.as_str()))
        .collect();
    assert_eq!(
        notes,
        [
            (1, "events that are no slices left out"),
            (1, "events with parts of a nanosecond, rounded"),
            (1, "slices that end and never began"),
        ]
    );
}

/// Flows as other programs draw them: begins before their slice is told, ends that bind to the next slice,
/// steps, an end before its begin, ids as text, and points that lie in no slice.
#[test]
fn a_flow_joins_the_slices_it_lies_in() {
    let text = r#"[
        {"ph": "s", "pid": 1, "tid": 1, "cat": "c", "name": "n", "id": 1, "ts": 5},
        {"ph": "X", "pid": 1, "tid": 1, "name": "outer", "ts": 0, "dur": 100},
        {"ph": "X", "pid": 1, "tid": 1, "name": "inner", "ts": 5, "dur": 10},
        {"ph": "X", "pid": 1, "tid": 2, "name": "step", "ts": 20, "dur": 10},
        {"ph": "t", "pid": 1, "tid": 2, "cat": "c", "name": "n", "id": 1, "ts": 25},
        {"ph": "f", "pid": 1, "tid": 2, "cat": "c", "name": "n", "id": 1, "ts": 35},
        {"ph": "X", "pid": 1, "tid": 2, "name": "next", "ts": 40, "dur": 10},
        {"ph": "f", "bp": "e", "pid": 1, "tid": 1, "cat": "c", "name": "n", "id": "0x9", "ts": 50},
        {"ph": "s", "pid": 1, "tid": 2, "cat": "c", "name": "n", "id": "0x9", "ts": 49.999},
        {"ph": "s", "pid": 1, "tid": 3, "cat": "c", "name": "n", "id": 2, "ts": 1},
        {"ph": "f", "bp": "e", "pid": 1, "tid": 2, "cat": "c", "name": "other", "id": 1, "ts": 45}]"#;
    let trace = read("trace.json", text).unwrap();
    let name = |id: u64| {
        let task = trace.tasks().find(|task| task.task_id == id).unwrap();
        trace.functions().label(task.func_id).into_owned()
    };
    let mut edges: Vec<_> = trace
        .edges()
        .iter()
        .map(|(a, b)| (name(a), name(b)))
        .collect();
    edges.sort_unstable();
    let expected = [("inner", "step"), ("next", "outer"), ("step", "next")];
    assert_eq!(edges, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    let notes: Vec<_> = trace.notes().iter().map(|note| note.count).collect();
    assert_eq!(notes, [2], "{:?}", trace.notes());
}

/// Nanoseconds since 1970 in microseconds with three decimals: more than a double holds.
#[test]
fn times_since_1970_are_exact() {
    let text = r#"[{"ph": "X", "name": "a", "ts": 1700000000123456.789, "dur": 0.001},
        {"ph": "X", "name": "b", "ts": "1700000000123456.790", "dur": 3}]"#;
    let trace = read("trace.json", text).unwrap();
    let times: Vec<_> = trace
        .tasks()
        .map(|task| super::since_base(&trace, task.start_ticks))
        .collect();
    assert_eq!(
        times,
        [1_700_000_000_123_456_789, 1_700_000_000_123_456_790]
    );
    assert_eq!(trace.notes(), []);
}

#[test]
fn malformed_events_are_named_with_their_place() {
    let cases = [
        (
            "{\"traceEvents\": [\n{\"ph\": \"X\", \"ts\": {}}]}",
            2,
            "microseconds",
        ),
        (
            "{\"traceEvents\": [\n{\"ph\": \"X\", \"ts\": \"x\"}]}",
            2,
            "`x`, expected microseconds",
        ),
        (
            "{\"traceEvents\": [\n{\"ph\": \"X\"",
            2,
            "the end of the file",
        ),
        ("{\"traceEvents\": {}}", 1, "an array of trace events"),
    ];
    for (text, line, expected) in cases {
        let refused = read("trace.json", text).unwrap_err();
        let TraceError::Malformed {
            line: found,
            message,
            ..
        } = &refused
        else {
            panic!("{refused:?}");
        };
        assert_eq!(*found, line, "{refused}");
        assert!(message.contains(expected), "{refused}");
    }
}
