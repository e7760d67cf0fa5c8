//! Records JSON that somebody made to do harm: refused with its place, and nothing of it kept.

use lanescope_trace::{Trace, TraceError};

const ROW: &str = "{\"task_id\":7,\"func_id\":2,\"core_id\":1,\"core_type\":\"aiv\",\
    \"start_time_us\":1.0,\"end_time_us\":2.0,\"fanout\":[8]}";

fn read(text: &[u8]) -> Result<Trace, TraceError> {
    super::read("given.json", text)
}

/// What a text is refused with.
fn refused(text: &[u8]) -> String {
    let error = read(text).unwrap_err();
    let TraceError::Malformed { line, message, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*line, 1);
    assert!(message.len() < 300, "{message}");
    assert!(
        error.to_string().contains("given.json: line 1, column "),
        "{error}"
    );
    message.clone()
}

fn document(row: &str) -> Vec<u8> {
    format!("{{\"version\":1,\"tasks\":[{row}]}}").into_bytes()
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    assert_eq!(read(&document(ROW)).unwrap().task_count(), 1);
    for (from, to, expected) in [
        (
            "\"task_id\":7",
            "\"task_id\":18446744073709551616",
            "a task id",
        ),
        ("\"task_id\":7", "\"task_id\":1.5", "a task id"),
        ("\"task_id\":7", "\"task_id\":1e999", "64 bits"),
        ("\"func_id\":2", "\"func_id\":4294967296", "32 bits"),
        ("\"func_id\":2", "\"func_id\":-1", "32 bits"),
        ("\"core_id\":1", "\"core_id\":65536", "0 to 65535"),
        (
            "\"start_time_us\":1.0",
            "\"start_time_us\":NaN",
            "expected microseconds",
        ),
        (
            "\"start_time_us\":1.0",
            "\"start_time_us\":Infinity",
            "expected microseconds",
        ),
        (
            "\"start_time_us\":1.0",
            "\"start_time_us\":1e309",
            "expected microseconds",
        ),
        (
            "\"start_time_us\":1.0",
            "\"start_time_us\":null",
            "expected ",
        ),
        ("\"start_time_us\":1.0", "\"start_time_us\":{}", "expected "),
        ("[8]", "[[8]]", "a task id"),
        ("[8]", "[true]", "a task id"),
        ("[8]", "{\"8\":8}", "expected "),
    ] {
        assert!(ROW.contains(from));
        let message = refused(&document(&ROW.replace(from, to)));
        assert!(message.contains(expected), "{to}: {message}");
    }
}

#[test]
fn a_key_that_comes_twice_is_refused() {
    for key in [
        "\"version\":1",
        "\"tasks\":[]",
        "\"core_to_thread\":[0]",
        "\"aicpu_scheduler_phases\":[[]]",
        "\"aicpu_orchestrator_phases\":[[]]",
    ] {
        let text = format!("{{{key},\"version\":1,\"tasks\":[],{key}}}");
        let message = refused(text.as_bytes());
        assert!(message.contains("for the second time"), "{key}: {message}");
    }
}

#[test]
fn nesting_and_broken_text_are_refused() {
    let deep = "[".repeat(1_000_000);
    for key in ["unknown", "tasks", "core_to_thread"] {
        let text = format!("{{\"version\":1,\"{key}\":{deep}");
        refused(text.as_bytes());
    }
    let deep = "{\"a\":".repeat(1_000_000);
    refused(format!("{{\"version\":1,\"unknown\":{deep}").as_bytes());
    for bytes in [
        &b"\xff"[..],
        b"\xed\xa0\x80",
        b"\"\\ud800\"",
        b"\x00",
        b"\"\x01\"",
    ] {
        let mut text = b"{\"version\":1,\"tasks\":".to_vec();
        text.extend(bytes);
        text.extend(b"}");
        refused(&text);
    }
}

#[test]
fn a_cut_at_any_byte_is_refused() {
    let whole = document(ROW);
    for cut in 1..whole.len() {
        let message = refused(&whole[..cut]);
        assert!(message.contains("expected"), "cut at {cut}: {message}");
    }
}

#[test]
fn threads_that_no_chip_has_are_refused() {
    for thread in ["256", "4294967294", "4294967295", "18446744073709551616"] {
        let records = format!("{{\"version\":1,\"tasks\":[],\"core_to_thread\":[-1,{thread}]}}");
        let rows = format!(
            "{{\"metadata\":{{\"clock_freq_hz\":50000000,\"core_to_thread\":[{thread}]}},\"aicore_tasks\":[]}}"
        );
        for text in [records, rows] {
            let message = refused(text.as_bytes());
            assert!(message.contains("expected at most 255"), "{message}");
        }
    }
    let other = "{\"otherData\":{\"core_to_thread\":[null,4294967294]},\"traceEvents\":[]}";
    let message = refused(other.as_bytes());
    assert!(message.contains("AICPU thread 4294967294"), "{message}");
    let last = "{\"version\":1,\"tasks\":[],\"core_to_thread\":[255,-1,null]}";
    let trace = read(last.as_bytes()).unwrap();
    let threads = trace.session().cores.iter().map(|core| core.thread);
    assert_eq!(threads.collect::<Vec<_>>(), [Some(255), None, None]);
}

#[test]
fn what_is_passed_over_is_json_too() {
    let inside = |value: &str| format!("{{\"version\":1,\"tasks\":[],\"x\":{value}}}");
    for value in [
        "01",
        "1.",
        "1e",
        "-",
        "-01",
        "1.2.3-e",
        "+1",
        ".5",
        "tru",
        "nullx",
        "[1,]",
        "{\"a\":1,}",
        "{1:2}",
        "\"\\q\"",
        "\"\\u12\"",
        "\"\\u12x4\"",
        "\"a\tb\"",
        "\"\\",
    ] {
        refused(inside(value).as_bytes());
    }
    let escapes = format!("\"{}\"", "\\u00e4\\n\\\\\\\"".repeat(60_000));
    for value in ["-0.5e+10", "[1e5, 0, -0]", escapes.as_str()] {
        assert!(read(inside(value).as_bytes()).is_ok(), "{value:.40}");
    }
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        assert!(read(inside(&nested(1000)).as_bytes()).is_ok());
        let message = refused(inside(&nested(1001)).as_bytes());
        assert!(message.contains("nesting deeper than 1000"), "{message}");
    }
}

#[test]
fn successors_may_come_before_their_task() {
    let row = ROW
        .replace("\"task_id\":7,", "")
        .replace("[8]", "[8,9],\"task_id\":7");
    let edges: Vec<_> = read(&document(&row)).unwrap().edges().iter().collect();
    assert_eq!(edges, [(7, 8), (7, 9)]);
    let many = vec!["8"; (1 << 20) + 1].join(",");
    assert!(read(&document(&ROW.replace("[8]", &format!("[{many}]")))).is_ok());
    let message = refused(&document(&row.replace("[8,9]", &format!("[{many}]"))));
    assert!(
        message.contains("before their task's `task_id`"),
        "{message}"
    );
}
