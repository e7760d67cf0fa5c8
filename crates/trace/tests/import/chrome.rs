//! Chrome trace JSON of known and unknown writers.

use super::{data, notes, read};
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
    assert_eq!(
        notes(&trace),
        [
            (1, "event that is no slice left out"),
            (1, "event with parts of a nanosecond, rounded"),
            (1, "slice that ends and never began"),
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

/// Flows without events of their own: slices on one track that begin at one time, begins and ends in pairs, ids as text
/// and as numbers, a flow that ends twice.
#[test]
fn a_flow_joins_the_slices_that_say_so() {
    let text = r#"[
        {"ph": "X", "pid": 1, "tid": 1, "name": "outer", "ts": 0, "dur": 100, "bind_id": "0xa", "flow_out": true},
        {"ph": "X", "pid": 1, "tid": 1, "name": "inner", "ts": 0, "dur": 10, "bind_id": 7, "flow_out": true},
        {"ph": "B", "pid": 1, "tid": 2, "name": "step", "ts": 20, "bind_id": "0xa", "flow_in": true, "flow_out": true},
        {"ph": "E", "pid": 1, "tid": 2, "ts": 30},
        {"ph": "X", "pid": 2, "tid": 1, "name": "last", "ts": 40, "dur": 1, "bind_id": "0xa", "flow_in": true},
        {"ph": "X", "pid": 2, "tid": 2, "name": "late", "ts": 50, "dur": 1, "bind_id": 7, "flow_in": true},
        {"ph": "X", "pid": 2, "tid": 3, "name": "later", "ts": 60, "dur": 1, "bind_id": 7, "flow_in": true},
        {"ph": "X", "pid": 2, "tid": 4, "name": "alone", "ts": 60, "dur": 1, "bind_id": 8, "flow_in": true},
        {"ph": "X", "pid": 2, "tid": 4, "name": "beside", "ts": 70, "dur": 1, "bind_id": 7, "flow_in": false}]"#;
    let trace = read("trace.json", text).unwrap();
    let name = |id: u64| {
        let task = trace.tasks().find(|task| task.task_id == id).unwrap();
        trace.functions().label(task.func_id).into_owned()
    };
    let edges = trace.edges().iter();
    let mut edges: Vec<_> = edges.map(|(a, b)| name(a) + " " + &name(b)).collect();
    edges.sort_unstable();
    let expected = ["inner late", "inner later", "outer step", "step last"];
    assert_eq!(edges, expected);
    assert_eq!(
        notes(&trace),
        [(1, "flow event left out: it joins no two tasks")]
    );
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
            "{\"traceEvents\": [\n{\"ph\": \"X\", \"ts\": 1e+300}]}",
            2,
            "1e+300 is too large, expected microseconds",
        ),
        (
            "{\"traceEvents\": [\n{\"ph\": \"X\", \"ts\": \"1e+300\"}]}",
            2,
            "`1e+300` is too large, expected microseconds",
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

fn edges(trace: &Trace) -> Vec<(u64, u64)> {
    let mut edges: Vec<_> = trace.edges().iter().collect();
    edges.sort_unstable();
    edges
}

#[test]
fn an_array_that_was_not_closed_is_read() {
    let event = r#"{"ph": "X", "pid": 1, "tid": 1, "ts": 1, "dur": 2, "name": "a"}"#;
    for (text, tasks, is_whole) in [
        (format!("[\n{event},\n{event}]"), 2, true),
        (format!("[\n{event},\n{event}"), 2, false),
        (format!("[\n{event},\n{event},\n"), 2, false),
        // Nothing of it is missing.
        (format!("[{event},]"), 1, true),
        ("[]".to_owned(), 0, true),
        ("[".to_owned(), 0, false),
    ] {
        let trace = read("trace.json", &text).unwrap();
        assert_eq!(trace.task_count(), tasks, "{text}");
        let expected = [(1, "array of events without its end")];
        assert_eq!(notes(&trace), expected[usize::from(is_whole)..], "{text}");
    }
    for text in [
        format!("[{event}, {{\"ph\": \"X\""),
        format!("[{event} {event}]"),
        format!("[{event}]]"),
        format!("{{\"traceEvents\": [{event}"),
    ] {
        assert!(read("trace.json", &text).is_err(), "{text}");
    }
}

/// Events of the reference's trace, and some of a program that is not known on a thread before them.
const NAMES: &str = r#"{"ph": "M", "pid": 1, "name": "process_name", "args": {"name": "AICore View"}},
    {"ph": "M", "pid": 1, "tid": 10020, "name": "thread_name", "args": {"name": "AIV_2"}},
    {"ph": "M", "pid": 9, "tid": 1, "name": "thread_name", "args": {"name": "host"}}"#;
const EVENTS: &str = r#"{"ph": "X", "pid": 9, "tid": 1, "ts": 0, "dur": 100, "name": "host"},
    {"ph": "X", "pid": 1, "tid": 10020, "ts": 10, "dur": 5, "name": "k(t7)", "args": {"taskId": 7}}"#;

#[test]
fn tracks_may_be_told_behind_their_events() {
    for text in [
        format!("[{NAMES}, {EVENTS}]"),
        format!("[{EVENTS}, {NAMES}]"),
    ] {
        let trace = read("trace.json", &text).unwrap();
        let mut tasks: Vec<_> = trace
            .tasks()
            .map(|task| {
                (
                    trace.functions().label(task.func_id),
                    task.core,
                    task.task_id,
                )
            })
            .collect();
        tasks.sort_unstable();
        // A thread that is no core stands behind those that are.
        assert_eq!(tasks, [("host".into(), 3, 0), ("k".into(), 2, 7)], "{text}");
        assert_eq!(trace.session().cores.len(), 4);
    }
}

#[test]
fn events_without_a_time_or_a_duration_are_counted() {
    let text = r#"[{"ph": "M", "name": "thread_name", "args": {"name": "main"}},
        {"ph": "X", "dur": 1, "name": "no time"}, {"ph": "X", "ts": null, "dur": 1, "name": "no time"},
        {"ph": "X", "ts": 7, "name": "no duration"},
        {"ph": "B", "ts": 10, "name": "outer"}, {"ph": "B", "name": "no begin"}, {"ph": "E", "ts": 12},
        {"ph": "B", "ts": 13, "name": "no end"}, {"ph": "E"}, {"ph": "E", "ts": 20},
        {"ph": "s", "id": 1, "name": "n"}, {"ph": "f", "id": 1, "name": "n", "ts": 11, "bp": "e"},
        {"ph": "C", "args": {"v": 1}}, {"ph": "i"}]"#;
    let trace = read("trace.json", text).unwrap();
    let times: Vec<_> = trace
        .tasks()
        .map(|task| {
            let name = trace.functions().label(task.func_id).into_owned();
            (
                name,
                super::since_base(&trace, task.start_ticks),
                task.run_ticks(),
            )
        })
        .collect();
    let rate = trace.session().ticks_per_second;
    assert_eq!(
        times,
        [
            ("no duration".to_owned(), 7000, Some(0)),
            ("outer".to_owned(), 10_000, Some(10 * rate / 1_000_000)),
        ]
    );
    assert_eq!(
        notes(&trace),
        [
            (7, "events without `ts` left out"),
            (1, "flow event left out: it joins no two tasks"),
            (1, "slice without `dur`, taken for 0 ns long"),
        ]
    );
}

#[test]
fn phases_of_other_names_are_counted() {
    let text = r#"[{"ph": "M", "pid": 3, "name": "process_name", "args": {"name": "AICPU Scheduler"}},
        {"ph": "M", "pid": 4, "name": "process_name", "args": {"name": "AICPU Orchestrator"}},
        {"ph": "X", "pid": 3, "tid": 1, "ts": 1, "dur": 1, "name": "steal(3)"},
        {"ph": "X", "pid": 3, "tid": 1, "ts": 2, "dur": 1, "name": "scan(3)"},
        {"ph": "X", "pid": 4, "tid": 1, "ts": 1, "dur": 1, "name": "later(t7)"},
        {"ph": "X", "pid": 4, "tid": 1, "ts": 2, "dur": 1, "name": "unknown(t7)"},
        {"ph": "X", "pid": 4, "tid": 1, "ts": 3, "dur": 1, "name": "sync(t7)"}]"#;
    let trace = read("trace.json", text).unwrap();
    assert_eq!(trace.scheduler_phases(0).count(), 2);
    assert_eq!(trace.orchestrator_phases(0).count(), 3);
    assert_eq!(
        notes(&trace),
        [
            (1, "orchestrator phase of an unknown name, as `later`"),
            (1, "scheduler phase of an unknown name, as `steal`"),
        ]
    );
}

#[test]
fn flows_are_told_apart_by_either_id() {
    let flow = |ph: &str, pid: u32, ts: u32, id: &str| {
        format!(
            r#",{{"ph": "{ph}", "bp": "e", "pid": {pid}, "tid": 1, "cat": "c", "name": "n", "ts": {ts}{id}}}"#
        )
    };
    let mut text = "[".to_owned();
    for (place, pid) in [1, 2].into_iter().enumerate() {
        for ts in [0, 10, 20] {
            let comma = if place + ts > 0 { "," } else { "" };
            text += &format!(
                r#"{comma}{{"ph": "X", "pid": {pid}, "tid": 1, "ts": {ts}, "dur": 5, "name": "a"}}"#
            );
        }
    }
    for pid in [1, 2] {
        let local = r#", "id2": {"local": "0x1"}"#;
        text += &flow("s", pid, 1, local);
        text += &flow("f", pid, 11, local);
        text += &flow("s", pid, 2, r#", "id2": {"local": 2}"#);
        text += &flow("f", pid, 21, r#", "id2": {"local": 2}"#);
    }
    text += &flow("s", 1, 22, r#", "id2": {"global": 1}"#);
    text += &flow("f", 2, 22, r#", "id2": {"global": 1}"#);
    text += &flow("s", 1, 3, "");
    text += &flow("f", 1, 12, "");
    text += r#",{"ph": "X", "pid": 3, "tid": 1, "ts": 0, "dur": 5, "flow_out": true}]"#;
    let trace = read("trace.json", &text).unwrap();
    assert_eq!(edges(&trace), [(0, 1), (0, 2), (2, 5), (3, 4), (3, 5)]);
    assert_eq!(
        notes(&trace),
        [
            (2, "flow events without an id left out"),
            (
                1,
                "slice with flow_in or flow_out and without bind_id, which says what flows"
            ),
        ]
    );
}

#[test]
fn an_odd_member_costs_no_more_than_itself() {
    let long = "n".repeat(20_000);
    let event = |rest: &str| {
        format!(r#"{{"ph": "X", "pid": 1, "tid": 1, "ts": 1, "dur": 1, "name": "a"{rest}}}"#)
    };
    for text in [
        event(&format!(
            r#", "args": {{"name": "{long}", "fanout-hint": "{long}"}}"#
        )),
        event(r#", "args": {"token": 1e300, "head_wait_us": 1e300, "task_id": -1e99}"#),
        event(r#", "tid": null"#),
        event(r#", "tid": 1.0"#),
        event(r#", "pid": [1], "tid": {"x": 1}"#),
        event(r#"}, {"ph": "M", "name": "thread_name", "ts": null, "args": {"name": "t"}"#),
    ] {
        let trace = read("trace.json", format!("[{text}]")).unwrap();
        assert_eq!(trace.task_count(), 1, "{text}");
    }
    for name in [&b"a\\ud83d"[..], b"a\xe9", b"a\\udc00"] {
        let before = br#"[{"ph": "X", "ts": 1, "dur": 1, "name": ""#;
        let trace = read("trace.json", [before, name, b"\"}]"].concat()).unwrap();
        assert_eq!(trace.functions().name(0), Some("a\u{fffd}"));
    }
    // One thread, whether its number is whole or has decimals.
    let text = format!("[{}, {}]", event(r#", "tid": 3.0"#), event(r#", "tid": 3"#));
    assert_eq!(read("trace.json", text).unwrap().session().cores.len(), 1);
}

#[test]
fn what_is_open_has_bounds() {
    let begin = r#"{"ph": "B", "pid": 1, "tid": 1, "ts": 1, "name": "a"}"#;
    let text = format!("[{}]", vec![begin; 1025].join(","));
    let trace = read("trace.json", text).unwrap();
    assert_eq!(
        notes(&trace),
        [
            (1, "slice left out: too many were open at its time"),
            (1024, "slices that begin and never end"),
        ]
    );
    let threads: Vec<String> = (0..70_000)
        .map(|tid| format!(r#"{{"ph": "X", "pid": 1, "tid": {tid}, "ts": 1, "dur": 1}}"#))
        .collect();
    let trace = read("trace.json", format!("[{}]", threads.join(","))).unwrap();
    assert_eq!(trace.task_count(), 65_536);
    assert_eq!(
        notes(&trace),
        [(4464, "events of too many different threads left out")]
    );
}

#[test]
fn long_names_fill_several_blocks() {
    let slices: Vec<String> = (0..40_000)
        .map(|place| {
            let name = "\\u0001".repeat(200);
            format!(r#"{{"ph": "X", "ts": 1, "dur": 1, "name": "{name}{place}"}}"#)
        })
        .collect();
    let trace = read("trace.json", format!("[{}]", slices.join(","))).unwrap();
    assert_eq!(trace.functions().len(), 40_000);
}

/// What an export says it did not draw may be any number, and said twice.
#[test]
fn counts_of_a_file_add_up_to_no_more_than_there_are_numbers() {
    let text = r#"{"undrawn": {"tasks": "18446744073709551615"}, "undrawn": {"tasks": 1},
        "traceEvents": [{"ph": "X", "name": "a", "ts": 1, "dur": 1}]}"#;
    if let Ok(trace) = read("trace.json", text) {
        assert!(trace.notes().iter().any(|note| note.count == u64::MAX));
    }
}

/// The counter is told by the times of kernels too, whose two halves are joined later.
#[test]
fn kernels_of_parts_of_a_slow_tick_mean_the_faster_counter() {
    let kernel = |ts: &str| {
        format!(
            r#"[{{"ph": "M", "name": "process_name", "pid": 1, "args": {{"name": "AICore"}}}},
            {{"ph": "M", "name": "thread_name", "pid": 1, "tid": 7, "args": {{"name": "AIC_0"}}}},
            {{"ph": "X", "pid": 1, "tid": 7, "name": "mm", "ts": {ts}, "dur": 0.04, "args": {{"task_id": 5}}}}]"#
        )
    };
    for (ts, rate) in [("1.02", 50_000_000), ("1.005", 1_000_000_000)] {
        let trace = read("trace.json", kernel(ts)).unwrap();
        assert_eq!(trace.session().ticks_per_second, rate);
        let task = trace.tasks().next().unwrap();
        assert_eq!(task.run_ticks(), Some(40 * rate / 1_000_000_000));
    }
}

/// Devices of which the cores are not those of the run would name the cores of others.
#[test]
fn devices_that_are_not_the_runs_are_left_out() {
    let text = |cores: u32| {
        format!(
            r#"{{"otherData": {{"devices": [{{"name": "n/0", "host": "n", "cores": 1, "threads": 2}},
            {{"name": "n/1", "host": "n", "cores": {cores}, "threads": 2}}]}},
            "traceEvents": [{{"ph": "X", "name": "a", "pid": 9, "tid": 1, "ts": 1, "dur": 1}}]}}"#
        )
    };
    let trace = read("trace.json", text(1)).unwrap();
    // A thread that is no core of a device is a core behind them.
    assert_eq!(
        (trace.session().cores.len(), trace.session().devices.len()),
        (3, 0)
    );
    let expected = "devices whose cores and threads are not those of the run, taken for one";
    assert_eq!(notes(&trace), [(2, expected)]);
}
