//! The statistics are those that the reference's converter printed.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use lanescope_report::reference::{
    DeviceLog, conversion_text, statistics_text, statistics_with_deep_dive,
};
use lanescope_trace::reference::{Dependencies, Document, Names, TaskId};
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
fn lines_that_were_cut_short_are_passed_over() {
    let log = "x\nThread 3: Scheduler summary: total_time=fast, loops=1, tasks_scheduled=2\n\
               Thread 1: Scheduler summary: total_time=5us, lo\n\
               Thread 2: === Scheduler Phase Breakdown: total=5us";
    let log = DeviceLog::read(log.as_bytes()).unwrap();
    assert!(log.is_empty(), "{log:?}");
    // A breakdown without a summary says nothing of rounds.
    let log = "Thread 0: === Scheduler Phase Breakdown: total=5us, 2 tasks ===\n\
               Thread 0: complete: 1.2.3us\nThread 0: idle: 4us\n";
    let log = DeviceLog::read(log.as_bytes()).unwrap();
    assert_eq!(log.threads[&0].loops, None);
    assert_eq!(log.threads[&0].phases_us, Some([0.0, 0.0, 0.0, 4.0]));
    let document = Document::open(&case("v1").join("l2_perf_records.json")).unwrap();
    let text = statistics_text(&document, &Names::default(), Some(&log));
    assert!(text.contains("the device log tells of 2 tasks"), "{text}");
    assert!(text.contains("completed = 2,  loops = -"), "{text}");
}

#[test]
fn threads_that_write_at_one_time_are_told_apart() {
    let log = "[Thread pool] Thread x: Thread 12: Thread 0: Scheduler summary: total_time=1us, loops=2, \
               tasks_scheduled=3 Thread 1: Scheduler summary: total_time=4us, loops=5, tasks_scheduled=6\n\
               Thread 2: Scheduler summary: total_time=7us, Thread 3: Scheduler summary: total_time=8us, \
               loops=9, tasks_scheduled=10\n";
    let log = DeviceLog::read(log.as_bytes()).unwrap();
    let found: Vec<_> = log
        .threads
        .iter()
        .map(|(&thread, said)| (thread, said.total_us, said.loops, said.completed))
        .collect();
    assert_eq!(
        found,
        [
            (0, 1.0, Some(2), 3),
            (1, 4.0, Some(5), 6),
            (3, 8.0, Some(9), 10)
        ]
    );
}

/// As the newer converter, which has no device logs.
#[test]
fn the_deep_dive_needs_no_log_where_the_records_have_phases() {
    let text = r#"{"version": 2.0, "tasks": [
        {"task_id": 0, "func_id": 7, "core_id": 0, "core_type": "aic", "start_time_us": 20.0,
         "end_time_us": 22.0, "duration_us": 2.0, "dispatch_time_us": 18.0, "finish_time_us": 25.0,
         "fanout": [1, 2]},
        {"task_id": 1, "func_id": 7, "core_id": 0, "core_type": "aic", "start_time_us": 30.0,
         "end_time_us": 32.0, "duration_us": 2.0, "dispatch_time_us": 28.0, "finish_time_us": 35.0,
         "fanout": [2]}],
        "aicpu_scheduler_phases": [[
        {"start_time_us": 1.0, "end_time_us": 3.0, "phase": "dispatch", "loop_iter": 1,
         "tasks_processed": 1, "pop_hit": 1, "pop_miss": 2},
        {"start_time_us": 3.0, "end_time_us": 4.0, "phase": "complete", "loop_iter": 2,
         "tasks_processed": 2},
        {"start_time_us": 4.0, "end_time_us": 6.0, "phase": "dispatch", "loop_iter": 2,
         "tasks_processed": 1, "pop_hit": 1, "pop_miss": 0}]]}"#;
    let document = document(text);
    let names = Names::default();
    let plain = statistics_text(&document, &names, None);
    assert!(
        plain.ends_with("[Info] Scheduler overhead deep-dive skipped (no device log resolved).\n")
    );
    let text = statistics_with_deep_dive(&document, &names, None);
    assert!(
        !text.contains("[Info]") && !text.contains("  Sched CPU ="),
        "{text}"
    );
    let begin = text.find("Part 2").unwrap();
    let expected = "\
Part 2: loop of each scheduler thread (from the phases of the records)
  Thread 0: total = 5.00 us,  completed = 2,  loops = 2
    complete         1.00 us,   20.0%,  avg/task =     0.50 us
    dispatch         4.00 us,   80.0%,  avg/task =     2.00 us  [pop: hit=2, miss=2, 50.0%]
    scan             0.00 us,    0.0%,  avg/task =     0.00 us
    idle             0.00 us,    0.0%,  avg/task =     0.00 us
  fanout edges = 3,  avg = 1.50 a task,  max = 2
  fanin  edges = 3,  avg = 1.50 a task,  max = 2

Part 3: tail OH against one round of the loop
";
    assert!(text[begin..].starts_with(expected), "{text}");
    let none = statistics_with_deep_dive(
        &Document::open(&case("v1").join("l2_perf_records.json")).unwrap(),
        &names,
        None,
    );
    assert!(
        none.contains("  none: the records have no phases\n"),
        "{none}"
    );
}

#[test]
fn what_some_writers_leave_out_or_put_in_quotes_is_read() {
    let text = r#"{"version": 2.0, "tasks": [
        {"task_id": 31, "func_id": 7, "core_id": 0, "core_type": "aic", "start_time_us": 20.0,
         "end_time_us": 22.0, "duration_us": 2.0, "fanout": []}],
        "aicpu_orchestrator_phases": [[
        {"phase": "orch_sync", "start_time_us": 1.0, "end_time_us": 2.0, "submit_idx": 3}]]}"#;
    let mut document = document(text);
    let step = &document.orchestrator_phases[0][0];
    assert_eq!(step.task_id, TaskId::NONE);
    assert_eq!(
        (step.task_id.to_string(), step.submit_index),
        ("-1".to_owned(), 3)
    );
    let deps = r#"{"version": 2.0, "edges": [{"pred": "0x1f", "succ": "32"}, {"pred": 31, "succ": "-1"}]}"#;
    let deps = Dependencies::read(deps.as_bytes(), Path::new("deps.json")).unwrap();
    document.set_dependencies(&deps).unwrap();
    let row = &document.tasks.rows[0];
    let successors = document.tasks.successors(row).map(|id| id.to_string());
    assert_eq!(successors.collect::<Vec<_>>(), ["32", "-1"]);
    let wrong = r#"{"version": 2, "edges": [{"pred": "x", "succ": 1}]}"#;
    let error = Dependencies::read(wrong.as_bytes(), Path::new("deps.json")).unwrap_err();
    assert!(
        error.to_string().contains("`x`, expected a task id"),
        "{error}"
    );
}
