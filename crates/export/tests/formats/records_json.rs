//! What the reference's exporter wrote for given records is reproduced byte for byte.

use lanescope_export::ExportError;
use lanescope_export::records_json::{self, PhaseRow, Records, TaskRow};
use lanescope_trace::synth::Synth;
use lanescope_trace::{Chip, Orchestrator, Task, Trace, TraceParts};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn numbers(row: &Value) -> Vec<u64> {
    let row = row.as_array().unwrap();
    row.iter().filter_map(Value::as_u64).collect()
}

fn tasks(case: &Value) -> Vec<TaskRow<'static>> {
    let cores = case["expected"]["records_per_core"].as_array().unwrap();
    let mut tasks = Vec::new();
    for (core_id, rows) in (0..).zip(cores) {
        for row in rows.as_array().unwrap() {
            let number = |column: usize| row[column].as_u64().unwrap();
            let fanout = numbers(&row[7]);
            tasks.push(TaskRow {
                start_ticks: number(0),
                end_ticks: number(1),
                dispatch_ticks: number(2),
                finish_ticks: number(3),
                task_id: number(4),
                func_id: u32::try_from(number(5)).unwrap(),
                core_type: u32::try_from(number(6)).unwrap(),
                core_id,
                fanout_count: i64::try_from(fanout.len()).unwrap(),
                fanout: fanout.into(),
            });
        }
    }
    tasks
}

fn phases(case: &Value) -> Vec<Vec<PhaseRow>> {
    let threads = case["expected"]["phases_per_thread"].as_array().unwrap();
    let row = |row: &Value| {
        let row = numbers(row);
        PhaseRow {
            start_ticks: row[0],
            end_ticks: row[1],
            loop_iter: row[2],
            phase: u32::try_from(row[3]).unwrap(),
            value: row[4],
            pops: (row[5], row[6]),
        }
    };
    let threads = threads.iter().map(|rows| rows.as_array().unwrap());
    threads.map(|rows| rows.iter().map(row).collect()).collect()
}

fn core_to_thread(case: &Value) -> Vec<i32> {
    let threads = numbers(&case["params"]["core_thread"]).into_iter();
    threads
        .map(|thread| i32::try_from(thread).unwrap())
        .collect()
}

fn reproduce(chip: Chip) {
    let name = format!("{}_l2perf_small", chip.name());
    let case = std::fs::read(data(&format!("{name}.json"))).unwrap();
    let case: Value = serde_json::from_slice(&case).unwrap();
    let records = Records {
        ticks_per_second: case["params"]["sys_cnt_freq"].as_u64().unwrap(),
        tasks: tasks(&case),
        phases: phases(&case),
        max_threads: chip.info().max_threads as usize,
        pops: chip == Chip::A5,
        // The case's file does not hold the summary; these are its ticks, as the output implies.
        orchestrator: Some(Orchestrator {
            start_ticks: 999_300,
            end_ticks: 1_200_000,
            submit_count: 75,
            phase_ticks: [11, 2200, 3300, 44_000, 0, 5500, 66, 7],
        }),
        core_to_thread: Some(core_to_thread(&case)),
    };
    let mut found = Vec::new();
    records.write(&mut found).unwrap();
    let expected = std::fs::read_to_string(data(&format!("{name}.l2_perf_records.json"))).unwrap();
    same_text(&String::from_utf8(found).unwrap(), &expected);
}

fn same_text(found: &str, expected: &str) {
    for (line, (found, expected)) in (1..).zip(found.lines().zip(expected.lines())) {
        assert_eq!(found, expected, "line {line}");
    }
    assert_eq!(found.len(), expected.len());
    assert_eq!(found, expected);
}

#[test]
fn the_a2a3_case_is_reproduced() {
    reproduce(Chip::A2a3);
}

#[test]
fn the_a5_case_is_reproduced() {
    reproduce(Chip::A5);
}

/// Reading a file and writing it again changes nothing.
#[test]
fn files_survive_reading_and_writing() {
    let own = ["a2a3_l2perf_small", "a5_l2perf_small"]
        .map(|name| data(&format!("{name}.l2_perf_records.json")));
    let read = ["reference_sim_vector", "reference_sim_paged_attention"].map(|name| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../trace/tests/data")
            .join(name)
            .join(records_json::FILE_NAME)
    });
    for path in own.iter().chain(&read) {
        let trace = Trace::open(path).unwrap();
        let mut found = Vec::new();
        records_json::write(&trace, &mut found).unwrap();
        let expected = std::fs::read_to_string(path).unwrap();
        same_text(&String::from_utf8(found).unwrap(), &expected);
    }
}

#[test]
fn a_made_up_run_survives_writing_and_reading() {
    for chip in Chip::ALL {
        let synth = Synth {
            chip,
            tasks: 3000,
            edges_per_task: 2,
            ..Synth::default()
        };
        let trace = synth.trace().unwrap();
        let mut text = Vec::new();
        records_json::write(&trace, &mut text).unwrap();
        let name = format!("lanescope-again-{}.json", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, &text).unwrap();
        let again = Trace::open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        let shift = again.bounds_ticks().unwrap().0 - trace.bounds_ticks().unwrap().0;
        let mut expected: Vec<Task> = trace.tasks().collect();
        let mut found: Vec<Task> = again.tasks().collect();
        expected.sort_by_key(|task| task.task_id);
        found.sort_by_key(|task| task.task_id);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            let expected = Task {
                dispatch_ticks: expected.dispatch_ticks + shift,
                receive_ticks: 0,
                start_ticks: expected.start_ticks + shift,
                end_ticks: expected.end_ticks + shift,
                finish_ticks: expected.finish_ticks + shift,
                token: 0,
                run_id: found.run_id,
                ..*expected
            };
            assert_eq!(*found, expected);
        }
        let edges = |trace: &Trace| {
            let mut edges: Vec<_> = trace.edges().iter().collect();
            edges.sort_unstable();
            edges
        };
        assert_eq!(edges(&again), edges(&trace));
    }
}

fn one_task() -> TaskRow<'static> {
    TaskRow {
        task_id: (5 << 32) | 6,
        core_id: 1,
        core_type: 2,
        start_ticks: 150,
        end_ticks: 100,
        finish_ticks: 50,
        fanout: vec![1].into(),
        fanout_count: 129,
        ..TaskRow::default()
    }
}

#[test]
fn times_before_the_base_wrap_and_overlong_fanouts_are_empty() {
    let records = Records {
        ticks_per_second: 50_000_000,
        tasks: vec![one_task()],
        ..Records::default()
    };
    let mut text = Vec::new();
    records.write(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    for line in [
        "  \"version\": 1,",
        "      \"core_type\": \"aiv\",",
        "      \"ring_id\": 5,",
        "      \"start_time_us\": 0.000,",
        // 2^64 - 50 ticks in doubles, and 0 for the dispatch that was not seen.
        "      \"end_time_us\": 368934881474191040.000,",
        "      \"dispatch_time_us\": 0.000,",
        "      \"fanout\": [],",
        "      \"fanout_count\": 129",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(!text.contains("core_to_thread"));
}

#[test]
fn a_trace_without_tasks_is_refused() {
    let trace = Trace::new(TraceParts::default());
    let error = records_json::write(&trace, std::io::sink()).unwrap_err();
    assert!(matches!(error, ExportError::NoTasks { .. }));
}
