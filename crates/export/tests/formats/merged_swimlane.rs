//! What the reference's converter wrote for given files is reproduced byte for byte.

use lanescope_export::merged_swimlane::{self, Written};
use lanescope_trace::Trace;
use lanescope_trace::reference::{Dependencies, Document, Names};
use lanescope_trace::synth::Synth;
use serde_json::Value;
use std::io::{self, Cursor, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/swimlane")
        .join(name)
}

fn input(name: &str) -> PathBuf {
    let of_trace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../trace/tests/data");
    match name {
        "full" | "nonames" => of_trace.join("full.l2_perf_records.json"),
        "paged_attention" | "vector" => {
            of_trace.join(format!("reference_sim_{name}/l2_perf_records.json"))
        }
        _ => data(name).join("l2_perf_records.json"),
    }
}

fn exported(document: &Document, names: &Names) -> (String, Written) {
    let mut out = Vec::new();
    let written = merged_swimlane::write(document, names, &mut out).unwrap();
    assert_eq!(written.bytes, out.len() as u64);
    (String::from_utf8(out).unwrap(), written)
}

fn exported_with(threads: usize, document: &Document, out: impl Write) -> Result<Written, String> {
    let threads = NonZeroUsize::new(threads).unwrap();
    let names = Names::default();
    let written = merged_swimlane::write_with(threads, document, &names, out);
    written.map_err(|error| error.to_string())
}

#[track_caller]
fn reproduce(case: &str, names: Option<&str>) {
    let document = Document::open(&input(case)).unwrap();
    let names = names.map_or_else(Names::default, |of| {
        Names::open(&data(of).join("name_map.json")).unwrap()
    });
    let (found, _) = exported(&document, &names);
    let expected = std::fs::read_to_string(data(case).join("merged_swimlane.json")).unwrap();
    for (line, (found, expected)) in (1..).zip(found.lines().zip(expected.lines())) {
        assert_eq!(found, expected, "{case}, line {line}");
    }
    assert!(
        found == expected,
        "{case}: {} and {} bytes",
        found.len(),
        expected.len()
    );
}

#[test]
fn every_case_of_the_converter_is_reproduced() {
    reproduce("full", Some("full"));
    reproduce("nonames", None);
    reproduce("noorchphases", Some("full"));
    reproduce("v1", None);
    reproduce("voting", None);
}

/// What an independent model of the format makes of random documents: rows that share ids, negative
/// ids, unknown times, votes, names that need escapes, whole and tiny and huge numbers.
#[test]
fn made_up_documents_give_what_another_implementation_gives() {
    for case in ["made_up_1", "made_up_2", "made_up_3"] {
        reproduce(case, Some(case));
    }
}

#[test]
fn captures_of_the_reference_are_reproduced() {
    reproduce("paged_attention", Some("paged_attention"));
    reproduce("vector", None);
}

fn document(text: &str) -> Document {
    Document::read(text.as_bytes(), Path::new("t.json")).unwrap()
}

/// One row on core 0, `rest` before its other members.
fn row(id: i64, core: u16, times: [&str; 4], fanout: &str) -> String {
    let [dispatch, start, end, finish] = times;
    format!(
        "{{\"task_id\": {id}, \"func_id\": 0, \"core_id\": {core}, \"core_type\": \"aic\", \
         \"start_time_us\": {start}, \"end_time_us\": {end}, \"duration_us\": 1, \
         \"dispatch_time_us\": {dispatch}, \"finish_time_us\": {finish}, \"fanout\": {fanout}}}"
    )
}

fn events(document: &Document) -> Vec<Value> {
    let (text, _) = exported(document, &Names::default());
    let mut value: Value = serde_json::from_str(&text).unwrap();
    match value["traceEvents"].take() {
        Value::Array(events) => events,
        other => panic!("{other}"),
    }
}

#[test]
fn rows_that_overlap_on_a_core_get_lanes_and_two_of_them_a_name() {
    let rows = [
        row(1, 0, ["1.0", "2", "3", "9.0"], "[]"),
        row(2, 0, ["2.0", "3", "4", "8.0"], "[]"),
        row(3, 0, ["3.0", "4", "5", "7.0"], "[]"),
        row(4, 0, ["7.0", "8", "9", "9.5"], "[]"),
    ];
    let text = format!("{{\"version\": 1, \"tasks\": [{}]}}", rows.join(", "));
    let events = events(&document(&text));
    let of_view = |phase: &str| -> Vec<u64> {
        let found = events
            .iter()
            .filter(|event| event["ph"] == phase && event["pid"] == 2);
        found.filter_map(|event| event["tid"].as_u64()).collect()
    };
    assert_eq!(of_view("X"), [10_000, 10_001, 10_002, 10_002]);
    assert_eq!(of_view("M"), [10_000, 10_001]);
}

/// Rows of one task on one core share the number of the last; arrows go from each row to each.
#[test]
fn rows_of_one_task_share_what_arrows_bind_to() {
    let rows = [
        row(1, 0, ["1.0", "2", "3", "4.0"], "[2, 99]"),
        row(1, 0, ["4.0", "5", "6", "7.0"], "[2, 99]"),
        row(2, 1, ["8.0", "9", "10", "0.0"], "[]"),
    ];
    let text = format!("{{\"version\": 1, \"tasks\": [{}]}}", rows.join(", "));
    let events = events(&document(&text));
    let arrows: Vec<_> = events
        .iter()
        .filter(|event| event["cat"] == "flow")
        .map(|event| {
            let number = |key: &str| event[key].as_i64();
            (
                number("pid").unwrap(),
                event["ts"].as_f64().unwrap(),
                number("bind_id"),
            )
        })
        .collect();
    let expected = [
        (1, 2.99, Some(1)),
        (1, 9.0, Some(2)),
        (1, 5.99, Some(1)),
        (1, 9.0, Some(2)),
        (2, 3.99, Some(4)),
        // It never was seen finished: no slice to bind to, but an arrow.
        (2, 8.0, None),
        (2, 6.99, Some(4)),
        (2, 8.0, None),
    ];
    assert_eq!(arrows, expected);
}

#[test]
fn recorded_dependencies_replace_the_rows_and_tell_what_was_not_kept() {
    let rows = [
        row(1, 0, ["1.0", "2", "10", "11.0"], "[3]"),
        row(2, 0, ["4.0", "5", "6", "7.0"], "[]"),
        row(3, 1, ["12.0", "12", "13", "14.0"], "[]"),
    ];
    let text = format!("{{\"version\": 1, \"tasks\": [{}]}}", rows.join(", "));
    let mut document = document(&text);
    let recorded =
        br#"{"version": 2, "edges": [{"pred": 1, "succ": 2}, {"succ": 3, "pred": 1, "kind": "x"},
        {"pred": 1, "succ": 2}, {"pred": 7, "succ": 1}]}"#;
    let recorded = Dependencies::read(&recorded[..], Path::new("deps.json")).unwrap();
    assert_eq!(recorded.len(), 3);
    document.set_dependencies(&recorded).unwrap();
    let events = events(&document);
    let starts = events.iter().filter(|event| event["ph"] == "s");
    let names: Vec<_> = starts
        .map(|event| event["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["hb_violation", "dependency", "hb_violation", "dependency"]
    );
    assert_eq!(events[6]["args"]["fanout-hint"], "[t2, t3]");
}

#[test]
fn a_trace_gives_what_its_records_file_gives() {
    let synth = Synth {
        tasks: 300,
        edges_per_task: 2,
        ..Synth::default()
    };
    let trace = synth.trace().unwrap();
    let scratch = Cursor::new(Vec::new());
    let document = merged_swimlane::document_of(&trace, scratch, Path::new("synth")).unwrap();
    let (text, written) = exported(&document, &Names::of(&trace));
    assert_eq!(written.slices, 600);
    assert_eq!(written.flows, 2 * trace.edges().len() as u64);
    assert!(text.contains("\"name\": \"softmax(t2"), "{}", &text[..2000]);
    // The captures' own file, by way of a trace, is what it is without.
    let trace = Trace::open(input("full")).unwrap();
    let scratch = Cursor::new(Vec::new());
    let document = merged_swimlane::document_of(&trace, scratch, Path::new("full")).unwrap();
    let (found, _) = exported(&document, &Names::default());
    let expected = std::fs::read_to_string(data("nonames").join("merged_swimlane.json")).unwrap();
    let lines = found.lines().zip(expected.lines());
    // All but the orchestrator's: its steps that the trace cannot hold are the only difference.
    for (found, expected) in lines.take(1000) {
        assert_eq!(found, expected);
    }
}

/// More rows than one thread takes at a time.
fn long_document() -> Document {
    let synth = Synth {
        tasks: 9000,
        ..Synth::default()
    };
    let scratch = Cursor::new(Vec::new());
    merged_swimlane::document_of(&synth.trace().unwrap(), scratch, Path::new("synth")).unwrap()
}

#[test]
fn any_number_of_threads_writes_the_same() {
    let document = long_document();
    let (expected, written) = exported(&document, &Names::default());
    for threads in [1, 2, 3, 7] {
        let mut out = Vec::new();
        assert_eq!(exported_with(threads, &document, &mut out), Ok(written));
        assert!(out == expected.as_bytes(), "{threads} threads");
    }
    // Slices are numbered in the order of the file, and so are arrows, both ends of each.
    let numbers = expected.lines().filter_map(|line| {
        let number = line.strip_prefix("      \"id\": ")?.strip_suffix(',')?;
        Some(number.parse::<u64>().unwrap())
    });
    let slices = 0..document.tasks.rows.len() as u64;
    let aicpu = slices.end..written.slices;
    let arrows = (0..written.flows).flat_map(|arrow| [arrow, arrow]);
    let (mut of_slices, mut of_arrows) = (slices.chain(aicpu), arrows);
    let mut is_slice = expected.lines().filter_map(|line| match line.trim_start() {
        "\"cat\": \"event\"," => Some(true),
        "\"cat\": \"flow\"," => Some(false),
        _ => None,
    });
    for number in numbers {
        let next = match is_slice.next() {
            Some(true) => of_slices.next(),
            _ => of_arrows.next(),
        };
        assert_eq!(next, Some(number));
    }
    assert_eq!((of_slices.next(), of_arrows.next()), (None, None));
}

/// Takes so many bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::other("the disk is full"));
        }
        let count = bytes.len().min(self.0);
        self.0 -= count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_that_fails_ends_all_threads() {
    let document = long_document();
    for room in [0, 100, 3 << 20] {
        for threads in [1, 3] {
            let error = exported_with(threads, &document, Full(room)).unwrap_err();
            assert!(error.contains("merged-swimlane"), "{error}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_place() {
    let good = row(1, 0, ["1.0", "2", "3", "4.0"], "[]");
    let with = |from: &str, to: &str| {
        format!(
            "{{\"version\": 1,\n \"tasks\": [\n{}]}}",
            good.replacen(from, to, 1)
        )
    };
    let cases = [
        ("[]".to_owned(), "line 1, column 1: `[`, expected an object"),
        (
            "{}".to_owned(),
            "the file ends without `version`, expected 1 or 2",
        ),
        (
            "{\"version\": 1}".to_owned(),
            "the file ends without `tasks`",
        ),
        (
            "{\"version\": 3, \"tasks\": []}".to_owned(),
            "version 3, expected 1 or 2",
        ),
        (
            with("\"end_time_us\": 3, ", ""),
            "line 3, column 163: a task ends without `end_time_us`",
        ),
        (with("\"aic\"", "\"cube\""), "expected `aic` or `aiv`"),
        (
            with("\"core_id\": 0", "\"core_id\": 65536"),
            "65536, expected a core index, 0 to 65535",
        ),
        (
            with("\"task_id\": 1", "\"task_id\": 1.0"),
            "1.0, expected a task id, an integer of 64 bits",
        ),
        (
            with("\"task_id\": 1", "\"task_id\": 18446744073709551616"),
            "18446744073709551616, expected a task id, an integer of 64 bits",
        ),
        (
            with("3, \"dur", "null, \"dur"),
            "`n`, expected a time in microseconds",
        ),
        (
            with("\"fanout\": []", "\"fanout\": [1"),
            "expected `,` or the array's end",
        ),
        (with("]}", "]}}"), "line 3, column "),
    ];
    for (text, expected) in cases {
        let error = Document::read(text.as_bytes(), Path::new("t.json")).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains(expected),
            "{message}\nexpected {expected}\nin {text}"
        );
    }
    let bad_names = br#"{"callable_id_to_name": {"7": {}}}"#;
    let error = Names::read(&bad_names[..], Path::new("n.json"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("n.json: line 1, column 31: `{`, expected a function's name"),
        "{error}"
    );
}
