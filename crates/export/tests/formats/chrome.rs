//! Chrome trace JSON, read back with a JSON reader.

use super::{odd, plain};
use lanescope_export::chrome;
use lanescope_trace::synth::Synth;
use lanescope_trace::{Chip, PmuRow, Task, Trace};
use serde_json::Value;
use std::collections::HashMap;

fn exported(trace: &Trace) -> (chrome::Written, Value) {
    let mut out = Vec::new();
    let written = chrome::write(trace, &mut out).unwrap();
    assert_eq!(written.bytes, out.len() as u64);
    (written, serde_json::from_slice(&out).unwrap())
}

fn events<'a>(document: &'a Value, phase: &'a str, pid: u64) -> impl Iterator<Item = &'a Value> {
    let events = document["traceEvents"].as_array().unwrap().iter();
    events.filter(move |event| event["ph"] == phase && event["pid"] == pid)
}

#[test]
fn every_kernel_is_a_slice_with_exact_times() {
    let trace = plain(3000);
    let (written, document) = exported(&trace);
    assert_eq!(written.slices, 3000);
    let (origin, _) = trace.bounds_ticks().unwrap();
    let tasks: HashMap<u64, _> = trace.tasks().map(|task| (task.task_id, task)).collect();
    let mut seen = 0;
    for event in events(&document, "X", 1) {
        let task = &tasks[&event["args"]["task_id"].as_u64().unwrap()];
        let ticks = |value: &Value| (value.as_f64().unwrap() * 50.0).round();
        assert_eq!(ticks(&event["ts"]), (task.start_ticks - origin) as f64);
        assert_eq!(ticks(&event["dur"]), task.run_ticks().unwrap() as f64);
        assert_eq!(event["tid"], u64::from(task.core));
        assert_eq!(event["name"], *trace.functions().label(task.func_id));
        seen += 1;
    }
    assert_eq!(seen, 3000);
    assert_eq!(events(&document, "X", 2).count(), 3000);
}

#[test]
fn every_edge_leaves_its_producer_and_meets_its_consumer() {
    let trace = plain(500);
    let (written, document) = exported(&trace);
    assert_eq!(written.flows, trace.edges().len() as u64);
    let mut slices: HashMap<u64, Vec<(f64, f64, u64)>> = HashMap::new();
    for slice in events(&document, "X", 1) {
        let start = slice["ts"].as_f64().unwrap();
        let end = start + slice["dur"].as_f64().unwrap();
        let task = slice["args"]["task_id"].as_u64().unwrap();
        let tid = slice["tid"].as_u64().unwrap();
        slices.entry(tid).or_default().push((start, end, task));
    }
    let task_at = |event: &Value| {
        let at = event["ts"].as_f64().unwrap();
        let of_thread = &slices[&event["tid"].as_u64().unwrap()];
        let found = of_thread
            .iter()
            .find(|(start, end, _)| (*start..*end).contains(&at));
        found.unwrap().2
    };
    let begins: HashMap<u64, u64> = events(&document, "s", 1)
        .map(|event| (event["id"].as_u64().unwrap(), task_at(event)))
        .collect();
    let mut found: Vec<(u64, u64)> = events(&document, "f", 1)
        .map(|event| (begins[&event["id"].as_u64().unwrap()], task_at(event)))
        .collect();
    found.sort_unstable();
    let mut expected: Vec<_> = trace.edges().iter().collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn what_is_odd_is_told() {
    let (written, document) = exported(&odd());
    assert_eq!((written.slices, written.instants), (3, 1));
    assert_eq!((written.flows, written.undrawn_flows), (2, 1));
    assert_eq!(written.lost_records, 1);
    let instants: Vec<&Value> = events(&document, "i", 1).collect();
    let names: Vec<_> = instants.iter().map(|event| &event["name"]).collect();
    assert_eq!(names, ["1 records lost before this task", "a \"b\", c\n"]);
    // Readers would round it.
    assert_eq!(instants[1]["args"]["task_id"], "1152921504606846976");
    let phase = events(&document, "X", 3).next().unwrap();
    assert_eq!(phase["name"], "dispatch");
    assert_eq!(phase["args"]["pop_miss"], 5);
    let counters = events(&document, "C", 1).next().unwrap();
    assert_eq!(counters["args"]["total_cycles"], 1234);
    assert_eq!(document["otherData"]["origin_ticks"], "84195465005228");
    assert_eq!(document["otherData"]["verdict"], Value::Null);
}

/// What an import of the export gives.
fn again(trace: &Trace) -> Trace {
    let name = format!(
        "lanescope-chrome-{}-{}.json",
        std::process::id(),
        trace.task_count()
    );
    let path = std::env::temp_dir().join(name);
    let mut out = Vec::new();
    chrome::write(trace, &mut out).unwrap();
    std::fs::write(&path, out).unwrap();
    let again = Trace::open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    again
}

fn tasks(trace: &Trace) -> Vec<Task> {
    let mut tasks: Vec<_> = trace
        .tasks()
        .map(|task| Task {
            run_id: 0,
            // The trace names a core by its kind, whatever the task's row says.
            core_type: trace.session().cores[usize::from(task.core)].core_type,
            ..task
        })
        .collect();
    tasks.sort_by_key(|task| (task.task_id, task.core, task.start_ticks));
    tasks
}

fn edges(trace: &Trace) -> Vec<(u64, u64)> {
    let mut edges: Vec<_> = trace.edges().iter().collect();
    edges.sort_unstable();
    edges
}

fn assert_told(trace: &Trace, again: &Trace) {
    assert_eq!(tasks(again), tasks(trace));
    let (found, expected) = (again.session(), trace.session());
    assert_eq!(found.ticks_per_second, expected.ticks_per_second);
    assert_eq!((found.chip, found.level), (expected.chip, expected.level));
    for (core, known) in found.cores.iter().zip(&expected.cores) {
        assert_eq!(core.thread, known.thread);
    }
    for task in trace.tasks() {
        let core = usize::from(task.core);
        assert_eq!(found.cores[core].core_type, expected.cores[core].core_type);
        let names = (again.functions(), trace.functions());
        assert_eq!(names.0.label(task.func_id), names.1.label(task.func_id));
    }
    assert_eq!(again.orchestrator(), trace.orchestrator());
    for thread in trace.threads() {
        assert!(
            again
                .scheduler_phases(thread)
                .eq(trace.scheduler_phases(thread))
        );
        assert!(
            again
                .orchestrator_phases(thread)
                .eq(trace.orchestrator_phases(thread))
        );
    }
}

#[test]
fn an_import_of_the_export_is_the_same_run() {
    for chip in Chip::ALL {
        let trace = Synth {
            chip,
            tasks: 2000,
            edges_per_task: 3,
            ..Synth::default()
        }
        .trace()
        .unwrap();
        let again = again(&trace);
        assert_told(&trace, &again);
        assert_eq!(edges(&again), edges(&trace));
        assert_eq!(again.notes(), []);
    }
}

#[test]
fn what_is_odd_comes_back_or_is_counted() {
    let trace = odd();
    let again = again(&trace);
    assert_told(&trace, &again);
    // The edge to a task without a record is not drawn, and the file says so.
    assert_eq!(edges(&again), [(1, 2), (1, 1 << 60)]);
    let notes: Vec<_> = again
        .notes()
        .iter()
        .map(|note| (note.count, note.text.as_str()))
        .collect();
    assert!(
        notes.contains(&(1, "edges that the trace does not draw")),
        "{notes:?}"
    );
    let (found, expected) = (again.pmu_rows().next(), trace.pmu_rows().next());
    let (found, expected) = (found.unwrap(), expected.unwrap());
    let columns = trace
        .session()
        .chip
        .unwrap()
        .info()
        .pmu_event(2)
        .unwrap()
        .columns();
    for (counter, _) in columns {
        assert_eq!(found.counters[counter], expected.counters[counter]);
    }
    let plain = |row: PmuRow| PmuRow {
        counters: [0; 10],
        run_id: 0,
        ..row
    };
    assert_eq!(plain(found), plain(expected));
}
