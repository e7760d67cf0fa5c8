//! The statistics are those that the reference's converter printed.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use lanescope_report::reference::{DeviceLog, conversion_text, statistics_text};
use lanescope_trace::reference::{Document, Names};
use std::path::{Path, PathBuf};

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn case(name: &str) -> PathBuf {
    crates().join("export/tests/data/swimlane").join(name)
}

fn full() -> Document {
    Document::open(&crates().join("trace/tests/data/full.l2_perf_records.json")).unwrap()
}

fn document(text: &str) -> Document {
    Document::read(text.as_bytes(), Path::new("t.json")).unwrap()
}

#[test]
fn every_case_of_the_converter_is_printed_as_it_printed_it() {
    let of_case = |name| Document::open(&case(name).join("l2_perf_records.json")).unwrap();
    let named = Names::open(&case("full").join("name_map.json")).unwrap();
    let cases = [
        ("full", full(), &named),
        ("full", of_case("noorchphases"), &named),
        ("nonames", full(), &Names::default()),
        ("nonames", of_case("v1"), &Names::default()),
        ("nonames", of_case("voting"), &Names::default()),
    ];
    for (expected, document, names) in cases {
        let expected = std::fs::read_to_string(case(expected).join("stdout.txt")).unwrap();
        let (input, output) = ("l2_perf_records.json", "merged_swimlane.json");
        let mut found = conversion_text(Path::new(input), Path::new(output));
        found.push_str(&statistics_text(&document, names, None));
        assert_eq!(found, expected);
    }
}

/// Rows without times add to the count and to the execution alone; 0.0 is averaged like a real time.
#[test]
fn rows_without_times_are_counted_and_their_waits_are_not() {
    let text = r#"{"version": 1, "tasks": [
        {"task_id": 0, "func_id": 7, "core_id": 0, "core_type": "aic", "start_time_us": 10.0,
         "end_time_us": 14.0, "duration_us": 4.0},
        {"task_id": 1, "func_id": 7, "core_id": 0, "core_type": "aic", "start_time_us": 20.0,
         "end_time_us": 22.0, "duration_us": 2.0, "dispatch_time_us": 18.0, "finish_time_us": 25.0},
        {"task_id": 2, "func_id": 9, "core_id": 1, "core_type": "aiv", "start_time_us": 30.0,
         "end_time_us": 31.0, "duration_us": 1.0, "dispatch_time_us": 0.0, "finish_time_us": 0.0}]}"#;
    let text = statistics_text(&document(text), &Names::default(), None);
    for line in [
        "7        func_7_h         2           3.00             3.50   85.7%              2.00             3.00",
        "9        func_9_j         1           1.00             0.00    0.0%             30.00           -31.00",
        "TOTAL                     3           7.00             7.00",
        "Total Test Time: 25.00 us (from earliest dispatch to latest finish)",
        "  Per-task (all):  Avg Exec = 2.33 us,  Avg Latency (dispatch->finish) = 2.33 us,  Exec/Latency = 100.00%",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let none = statistics_text(
        &document(r#"{"version": 1, "tasks": []}"#),
        &Names::default(),
        None,
    );
    assert!(
        none.contains("TOTAL                     0           0.00             0.00"),
        "{none}"
    );
    assert!(!none.contains("Total Test Time"), "{none}");
}

const LOG: &str = "\
[INFO] 1 Thread 0: Scheduler summary: total_time=100.5us, loops=40, tasks_scheduled=12\n\
[INFO] 2 something else about Thread x: nothing\n\
[INFO] 3 Thread 1: === Scheduler Phase Breakdown: total=83.5us, 11 tasks ===\n\
[INFO] 4 Thread 1:   complete : 40.0us (47.9%) [fanin: edges=3]\n\
[INFO] 5 Thread 0: === Scheduler Phase Breakdown: total=100.5us, 12 tasks ===\n\
[INFO] 6 Thread 1:   dispatch: 30.5us\n\
[INFO] 7 Thread 1:   scan    : 3.0us\n\
[INFO] 8 Thread 1:   idle    : 10.0us\n\
[INFO] 9 Thread 1: Scheduler summary: total_time=83.5us, loops=20, tasks_scheduled=11\n";

#[test]
fn a_device_log_adds_what_the_scheduler_took() {
    let log = DeviceLog::read(LOG.as_bytes()).unwrap();
    assert_eq!(log.completed(), 23);
    assert_eq!(log.threads[&1].phases_us, Some([40.0, 30.5, 3.0, 10.0]));
    assert_eq!(log.threads[&1].loops, Some(20));
    assert_eq!(log.threads[&1].details[0], "(47.9%) [fanin: edges=3]");
    let text = statistics_text(&full(), &Names::default(), Some(&log));
    // 184 us of two threads, 23 rows: 8 us each; 142.98 us of execution on three cores.
    let cpu = "  Sched CPU = 8.00 us,  Exec/Sched = 77.71%,  PerCore/Sched = 25.90%";
    assert!(text.lines().any(|line| line == cpu), "{text}");
    assert!(text.contains("(from the phases of the records)"), "{text}");
    // Of a log of another run only the count is shown.
    let other = LOG
        .replace("tasks_scheduled=1", "tasks_scheduled=10")
        .replace(", 1", ", 10");
    let other = DeviceLog::read(other.as_bytes()).unwrap();
    let text = statistics_text(&full(), &Names::default(), Some(&other));
    assert!(
        text.contains("the device log tells of 203 tasks, the records of 23"),
        "{text}"
    );
}

/// Without phases in the records the log's breakdown is what there is.
#[test]
fn the_deep_dive_takes_the_loop_from_the_log_when_the_records_have_none() {
    let document = Document::open(&case("v1").join("l2_perf_records.json")).unwrap();
    let log = DeviceLog::read(LOG.as_bytes()).unwrap();
    let text = statistics_text(&document, &Names::default(), Some(&log));
    let begin = text.find("Part 1").unwrap();
    let expected = "\
Part 1: time of a task
  Tasks: 23,  Wall-clock: 188.70 us (from earliest dispatch to latest finish)
  Head OH  total =        24.66 us,  avg/task =     1.07 us,   13.1%
  Exec     total =       142.98 us,  avg/task =     6.22 us,   76.2%
  Tail OH  total =        20.06 us,  avg/task =     0.87 us,   10.7%

Part 2: loop of each scheduler thread (from the device log)
  Thread 0: total = 100.50 us,  completed = 12,  loops = 40
    complete         0.00 us,    0.0%,  avg/task =     0.00 us
    dispatch         0.00 us,    0.0%,  avg/task =     0.00 us
    scan             0.00 us,    0.0%,  avg/task =     0.00 us
    idle             0.00 us,    0.0%,  avg/task =     0.00 us
  Thread 1: total = 83.50 us,  completed = 11,  loops = 20
    complete        40.00 us,   47.9%,  avg/task =     3.64 us  (47.9%) [fanin: edges=3]
    dispatch        30.50 us,   36.5%,  avg/task =     2.77 us
    scan             3.00 us,    3.6%,  avg/task =     0.27 us
    idle            10.00 us,   12.0%,  avg/task =     0.91 us

Part 3: tail OH against one round of the loop
  Tail OH: mean = 0.87 us,  P10 = 0.80 us,  P25 = 0.82 us,  P50 = 0.86 us,  P75 = 0.92 us,  P90 = 0.94 us,  P99 = 0.98 us
  Loop: avg = 3.07 us,  loops per tail = 0.28
  Dominant phase: complete (40.00 us)
";
    let found: Vec<_> = text[begin..].lines().collect();
    let expected: Vec<_> = expected.lines().collect();
    assert_eq!(found[..expected.len()], expected[..]);
}

#[test]
fn numbers_that_are_none_are_refused_with_their_line() {
    let log = "x\nThread 3: Scheduler summary: total_time=fast, loops=1, tasks_scheduled=2\n";
    let error = DeviceLog::read(log.as_bytes()).unwrap_err().to_string();
    assert!(
        error.starts_with("line 2 of the device log: \" total_time=fast"),
        "{error}"
    );
    // A breakdown without a summary says nothing of rounds, and is no error.
    let log = "Thread 0: === Scheduler Phase Breakdown: total=5us, 2 tasks ===\n";
    let log = DeviceLog::read(log.as_bytes()).unwrap();
    assert_eq!(log.threads[&0].loops, None);
    let document = Document::open(&case("v1").join("l2_perf_records.json")).unwrap();
    let text = statistics_text(&document, &Names::default(), Some(&log));
    assert!(text.contains("the device log tells of 2 tasks"), "{text}");
    assert!(text.contains("completed = 2,  loops = -"), "{text}");
}
