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
        {"ph": "B", "pid": 1, "tid": 7, "name": "outer", "ts": "1.5"},
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
            ("outer".to_owned(), 1, 1500, 2500),
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

#[test]
fn malformed_events_are_named_with_their_place() {
    let cases = [
        (
            "{\"traceEvents\": [\n{\"ph\": \"X\", \"ts\": -1}]}",
            2,
            "microseconds",
        ),
        (
            "{\"traceEvents\": [\n{\"ph\": \"X\", \"ts\": \"x\"}]}",
            2,
            "`x`, expected microseconds",
        ),
        ("{\"traceEvents\": [\n{\"ph\": \"X\"", 2, "EOF"),
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
