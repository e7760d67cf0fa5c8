//! Chrome trace JSON, read back with a JSON reader.

use super::{odd, plain};
use lanescope_export::chrome;
use lanescope_trace::Trace;
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
