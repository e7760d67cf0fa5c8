//! Chrome trace JSON, read back with a JSON reader.

mod viewer;

use super::{odd, plain};
use lanescope_capture::{CoreCounts, Counts};
use lanescope_export::chrome;
use lanescope_trace::synth::Synth;
use lanescope_trace::{
    Chip, Core, CoreType, DeviceInfo, EdgeTable, Kind, PmuRow, SchedulerPhase, Session, Task,
    Trace, TraceParts, Verdict,
};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use viewer::{Slice, slices};

fn exported(trace: &Trace) -> (chrome::Written, Value) {
    let (written, text) = exported_text(trace);
    (written, serde_json::from_str(&text).unwrap())
}

fn exported_text(trace: &Trace) -> (chrome::Written, String) {
    let mut out = Vec::new();
    let written = chrome::write(trace, &mut out).unwrap();
    assert_eq!(written.bytes, out.len() as u64);
    (written, String::from_utf8(out).unwrap())
}

fn of_process(slices: &[Slice], pid: u64) -> impl Iterator<Item = &Slice> {
    slices.iter().filter(move |slice| slice.track.0 == pid)
}

fn events<'a>(document: &'a Value, phase: &'a str, pid: u64) -> impl Iterator<Item = &'a Value> {
    let events = document["traceEvents"].as_array().unwrap().iter();
    events.filter(move |event| event["ph"] == phase && event["pid"] == pid)
}

#[test]
fn every_kernel_is_a_slice_with_exact_times() {
    let trace = plain(3000);
    let (written, text) = exported_text(&trace);
    assert_eq!(written.slices, 3000);
    let (origin, _) = trace.bounds_ticks().unwrap();
    let tasks: HashMap<u64, _> = trace.tasks().map(|task| (task.task_id, task)).collect();
    let mut seen = 0;
    let slices = slices(&text);
    for slice in of_process(&slices, 1) {
        let task = &tasks[&slice.event["args"]["task_id"].as_u64().unwrap()];
        let ticks = |us: &str| (us.parse::<f64>().unwrap() * 50.0).round();
        assert_eq!(ticks(&slice.start_us), (task.start_ticks - origin) as f64);
        assert_eq!(ticks(&slice.end_us), (task.end_ticks - origin) as f64);
        assert_eq!(slice.track.1, u64::from(task.core));
        let name = trace.functions().label(task.func_id);
        assert_eq!(slice.event["name"], *name);
        seen += 1;
    }
    assert_eq!(seen, 3000);
    assert_eq!(of_process(&slices, 2).count(), 3000);
}

#[test]
fn every_edge_leaves_its_producer_and_meets_its_consumer() {
    let trace = plain(500);
    let (written, text) = exported_text(&trace);
    assert_eq!(written.flows, trace.edges().len() as u64);
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut by_thread: HashMap<u64, Vec<(f64, f64, u64)>> = HashMap::new();
    let slices = slices(&text);
    for slice in of_process(&slices, 1) {
        let [start, end] = [&slice.start_us, &slice.end_us].map(|us| us.parse().unwrap());
        let task = slice.event["args"]["task_id"].as_u64().unwrap();
        let of_thread = by_thread.entry(slice.track.1).or_default();
        of_thread.push((start, end, task));
    }
    let task_at = |event: &Value| {
        let at = event["ts"].as_f64().unwrap();
        let of_thread = &by_thread[&event["tid"].as_u64().unwrap()];
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
    let phase = events(&document, "B", 3).next().unwrap();
    assert_eq!(phase["name"], "dispatch");
    assert_eq!(phase["args"]["pop_miss"], 5);
    let counters = events(&document, "C", 1).next().unwrap();
    assert_eq!(counters["args"]["total_cycles"], 1234);
    assert_eq!(document["otherData"]["origin_ticks"], "84195465005228");
    assert_eq!(document["otherData"]["verdict"], Value::Null);
}

/// What an import of the export gives.
fn again(trace: &Trace) -> Trace {
    let mut out = Vec::new();
    chrome::write(trace, &mut out).unwrap();
    imported(std::str::from_utf8(&out).unwrap())
}

fn tasks_of(trace: &Trace) -> Vec<Task> {
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
    assert_eq!(tasks_of(again), tasks_of(trace));
    let (found, expected) = (again.session(), trace.session());
    assert_eq!(found.ticks_per_second, expected.ticks_per_second);
    assert_eq!((found.chip, found.level), (expected.chip, expected.level));
    assert_eq!(found.cores.len(), expected.cores.len());
    for (core, known) in found.cores.iter().zip(&expected.cores) {
        assert_eq!(
            (core.core_type, core.thread),
            (known.core_type, known.thread)
        );
    }
    for task in trace.tasks() {
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
        notes.contains(&(1, "edge that the trace does not draw")),
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

fn phase(phase: u32, start_ticks: u64, end_ticks: u64) -> SchedulerPhase {
    SchedulerPhase {
        start_ticks,
        end_ticks,
        phase,
        pops: Some((1, 2)),
        ..SchedulerPhase::default()
    }
}

/// A run on one core and one thread at 1 GHz.
fn run(tasks: Vec<Task>, phases: Vec<SchedulerPhase>, verdict: Option<Verdict>) -> Trace {
    let mut session = Session::named("a5sim", 1_000_000_000);
    session.chip = Some(Chip::A5);
    Trace::new(TraceParts {
        session,
        tasks,
        scheduler_phases: vec![phases],
        verdict,
        ..TraceParts::default()
    })
}

fn task(number: u32, start_ticks: u64, end_ticks: u64) -> Task {
    Task {
        task_id: number.into(),
        token: number,
        core_type: CoreType::Aiv,
        dispatch_ticks: start_ticks,
        receive_ticks: start_ticks,
        start_ticks,
        end_ticks,
        finish_ticks: end_ticks,
        ..Task::default()
    }
}

#[test]
fn slices_that_touch_are_all_there_for_a_reader_that_cuts_off_parts_of_a_nanosecond() {
    // Times and durations of which a double of microseconds is a little less.
    let step = |number: u32| {
        let start = 1000 + 257_115 + 40 * u64::from(number);
        (start, start + 40)
    };
    let steps = (0..5000).map(step);
    let tasks = (0..).zip(steps.clone());
    let tasks = tasks.map(|(number, (start, end))| task(number, start, end));
    let phases = (0..).zip(steps);
    let phases = phases.map(|(number, (start, end))| phase(number % 2, start, end));
    let trace = run(tasks.collect(), phases.collect(), None);
    let (written, text) = exported_text(&trace);
    let slices = slices(&text);
    for pid in 1..=3 {
        assert_eq!(of_process(&slices, pid).count(), 5000);
        // One behind the other: none on a further thread, none inside another.
        assert!(of_process(&slices, pid).all(|slice| slice.track.1 == 0 && slice.depth == 0));
        let mut latest = 0;
        for slice in of_process(&slices, pid) {
            assert!(latest == 0 || latest == slice.start_ns);
            latest = slice.end_ns;
        }
    }
    assert_eq!((written.undrawn_stays, written.undrawn_phases), (0, 0));
    assert_told(&trace, &again(&trace));
}

#[test]
fn a_wait_is_a_slice_inside_its_phase_where_both_begin_or_end_at_once() {
    let blocked = |start, end| phase(SchedulerPhase::BLOCKED, start, end);
    let trace = run(
        Vec::new(),
        vec![
            blocked(1100, 1110),
            blocked(1110, 1120),
            blocked(1140, 1150),
            phase(SchedulerPhase::COMPLETE, 1100, 1150),
            phase(SchedulerPhase::DISPATCH, 1150, 1160),
            // Reaches out of its phase: a slice by itself.
            blocked(1165, 1175),
            phase(SchedulerPhase::COMPLETE, 1160, 1170),
        ],
        None,
    );
    let (written, text) = exported_text(&trace);
    let slices = slices(&text);
    let mut shown: Vec<_> = of_process(&slices, 3)
        .map(|slice| (slice.start_ns, slice.end_ns, slice.depth, slice.track.1))
        .collect();
    shown.sort_unstable();
    let expected = [
        (0, 10, 1, 0),
        (0, 50, 0, 0),
        (10, 20, 1, 0),
        (40, 50, 1, 0),
        (50, 60, 0, 0),
        (60, 70, 0, 10_000),
        (65, 75, 0, 0),
    ];
    assert_eq!(shown, expected);
    assert_eq!(written.undrawn_phases, 0);
    assert_told(&trace, &again(&trace));
}

#[test]
fn what_overlaps_too_often_or_has_no_time_is_counted() {
    let tasks = (0..70).map(|number| task(number, 1000 + u64::from(number), 2000));
    let phases = (0..70).map(|number| phase(0, 1000 + number, 2000));
    let undrawable = [phase(0, 0, 5), phase(0, 1500, 1400)];
    let trace = run(tasks.collect(), phases.chain(undrawable).collect(), None);
    let (written, text) = exported_text(&trace);
    let slices = slices(&text);
    for pid in 1..=3 {
        assert_eq!(of_process(&slices, pid).count(), 64);
    }
    assert_eq!((written.slices, written.instants), (64, 6));
    assert_eq!((written.undrawn_stays, written.undrawn_phases), (6, 8));
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["undrawn"]["stays"], 6);
    assert_eq!(document["undrawn"]["phases"], 8);
    assert_eq!(tasks_of(&again(&trace)), tasks_of(&trace));
}

#[test]
fn what_the_verdict_knows_to_be_lost_is_marked_and_summed() {
    let counts = |kind, core, missing: u64| CoreCounts {
        kind,
        thread: 0,
        core,
        dispatched: 9,
        counts: Counts {
            total: 9,
            collected: 9 - missing,
            ..Counts::default()
        },
    };
    let mut verdict = Verdict::new(1);
    verdict.cores = vec![
        counts(Kind::TASK, Some(0), 5),
        counts(Kind::PMU, Some(0), 3),
        counts(Kind::TENSOR, Some(0), 4),
        counts(Kind::PHASE, None, 6),
    ];
    let tasks = vec![task(16, 1000, 1100), task(18, 1200, 1300)];
    let phases = vec![phase(0, 1000, 1050)];
    let (written, document) = exported(&run(tasks, phases, Some(verdict)));
    let marks = |pid| -> Vec<(String, f64)> {
        let marks = events(&document, "i", pid);
        let told = marks.map(|mark| {
            let name = mark["name"].as_str().unwrap();
            (name.to_owned(), mark["ts"].as_f64().unwrap())
        });
        told.collect()
    };
    let on = |name: &str, at| (name.to_owned(), at);
    assert_eq!(
        marks(1),
        [
            on("1 records lost before this task", 0.2),
            on("4 records lost after this", 0.3),
            on("3 pmu records lost on this core", 0.3),
            on("4 tensor records lost on this core", 0.3),
        ]
    );
    assert_eq!(marks(3), [on("6 phase records lost after this", 0.05)]);
    assert_eq!((written.lost_records, written.lost_phases), (5, 6));
    assert_eq!(written.lost_others, 7);
    let lost = &document["otherData"]["lost"];
    let expected = serde_json::json!({"task": 5, "pmu": 3, "tensor": 4, "phase": 6});
    assert_eq!(*lost, expected);
}

/// What a text of a trace is imported as.
fn imported(text: &str) -> Trace {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("lanescope-chrome-{}-{number}.json", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, text).unwrap();
    let trace = Trace::open(&path);
    std::fs::remove_file(&path).unwrap();
    trace.unwrap()
}

/// Other programs sort what they write again.
#[test]
fn names_and_facts_may_come_last() {
    let (_, document) = exported(&odd());
    let plain = imported(&document.to_string());
    let mut last = document.clone();
    let events = last["traceEvents"].as_array_mut().unwrap();
    events.sort_by_key(|event| event["ph"] == "M");
    let facts = last.as_object_mut().unwrap().remove("otherData").unwrap();
    let text = last.to_string();
    let text = format!(
        "{},\"otherData\":{facts}}}",
        text.strip_suffix('}').unwrap()
    );
    let other = imported(&text);
    assert_eq!(plain.session(), other.session());
    assert!(plain.tasks().eq(other.tasks()) && plain.task_count() == 4);
    assert!(plain.pmu_rows().eq(other.pmu_rows()) && plain.pmu_rows().count() == 1);
    assert_eq!(plain.notes(), other.notes());
    for thread in plain.threads() {
        assert!(
            plain
                .scheduler_phases(thread)
                .eq(other.scheduler_phases(thread))
        );
    }
}

#[test]
fn a_task_of_many_successors_keeps_them() {
    let task = |task_id: u64| Task {
        task_id,
        start_ticks: 100 + 10 * task_id,
        // Some take no time at all.
        end_ticks: 100 + 10 * task_id + task_id % 2,
        ..Task::default()
    };
    let pairs = (1..3000).map(|consumer| (0, consumer));
    let pairs = pairs.chain((1..2999).map(|producer| (producer, 2999)));
    let trace = Trace::new(TraceParts {
        session: Session::named("a2a3sim", 50_000_000),
        tasks: (0..3000).map(task).collect(),
        edges: EdgeTable::named(pairs).unwrap(),
        ..TraceParts::default()
    });
    let again = again(&trace);
    assert_eq!(edges(&again), edges(&trace));
    assert_eq!(again.notes(), []);
}

/// Two devices whose cores have the same names, the last of which are idle.
fn of_two_devices() -> Trace {
    let core = |number: usize| Core {
        core_type: [CoreType::Aic, CoreType::Aiv][number % 2],
        thread: Some(u32::try_from(number / 3).unwrap()),
        first_token: None,
    };
    let device = |name: &str, cores, offset_ns| DeviceInfo {
        name: name.to_owned(),
        host: "node_1".to_owned(),
        platform: "a2a3sim".to_owned(),
        cores,
        threads: 1,
        offset_ns,
        uncertainty_ns: 7,
        ..DeviceInfo::default()
    };
    let mut session = Session::named("a2a3sim + a2a3sim", 50_000_000);
    session.chip = Some(Chip::A2a3);
    session.cores = (0..8).map(core).collect();
    session.devices = vec![device("node 1/AIC_0", 4, 0), device("2", 4, -5)];
    let tasks = (0..60).map(|number: u32| {
        let core = [0, 1, 4, 5, 6][number as usize % 5];
        let start = 1000 + 10 * u64::from(number);
        Task {
            core,
            token: 0,
            core_type: [CoreType::Aic, CoreType::Aiv][usize::from(core) % 2],
            dispatch_ticks: start - 30,
            finish_ticks: start + 90,
            ..task(number, start, start + 45)
        }
    });
    Trace::new(TraceParts {
        session,
        tasks: tasks.collect(),
        edges: EdgeTable::named((0..59).map(|task| (task, task + 1))).unwrap(),
        ..TraceParts::default()
    })
}

#[test]
fn cores_of_several_devices_stay_apart() {
    let trace = of_two_devices();
    let again = again(&trace);
    assert_told(&trace, &again);
    assert_eq!(edges(&again), edges(&trace));
    assert_eq!(again.session().devices, trace.session().devices);
    assert_eq!(again.notes(), []);
}

#[test]
fn cores_that_ran_nothing_keep_their_type() {
    let trace = of_two_devices();
    let (_, mut document) = exported(&trace);
    let facts = document["otherData"].as_object_mut().unwrap();
    let types = facts.remove("core_types").unwrap();
    let runs: Vec<_> = (0..8).map(|core| (["aic", "aiv"][core % 2], 1)).collect();
    assert_eq!(types, serde_json::json!(runs));
    let older = imported(&document.to_string());
    assert!(older.tasks().eq(again(&trace).tasks()));
    assert_eq!(older.session().cores[2].core_type, CoreType::Aiv);
    // What another program says under that name is left alone.
    for odd in [
        serde_json::json!([["gpu", 3], ["aic", 2]]),
        serde_json::json!([["aiv", -1]]),
        serde_json::json!(["aic", ["aic", 7]]),
        serde_json::json!({"aic": 7}),
    ] {
        document["otherData"]["core_types"] = odd;
        assert_eq!(imported(&document.to_string()).session(), older.session());
    }
}

#[test]
fn devices_that_only_names_tell_are_taken_for_one() {
    let trace = of_two_devices();
    let (_, mut document) = exported(&trace);
    let facts = document["otherData"].as_object_mut().unwrap();
    assert!(facts.remove("devices").is_some());
    let told = |found: &Trace| {
        let notes = found.notes().iter();
        let notes = notes.filter(|note| note.text.starts_with("devices that only"));
        notes.map(|note| note.count).collect::<Vec<_>>()
    };
    let ours = imported(&document.to_string());
    assert_told(&trace, &ours);
    assert_eq!(edges(&ours), edges(&trace));
    assert_eq!(told(&ours), [2]);
    // Threads of another writer have any number.
    document.as_object_mut().unwrap().remove("otherData");
    let other = imported(&document.to_string());
    let cores: HashMap<u64, u16> = trace
        .tasks()
        .map(|task| (task.task_id, task.core))
        .collect();
    let mut pairs: Vec<_> = other
        .tasks()
        .map(|task| (cores[&task.task_id], task.core, task.core_type as u8))
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    assert_eq!(
        pairs,
        [(0, 0, 0), (1, 1, 1), (4, 2, 0), (5, 3, 1), (6, 4, 0)]
    );
    assert_eq!((other.task_count(), told(&other)), (60, vec![2]));
}

#[test]
fn a_stay_on_no_known_core_is_no_task() {
    let trace = run(vec![task(1, 1000, 1100)], Vec::new(), None);
    let (_, mut document) = exported(&trace);
    for event in document["traceEvents"].as_array_mut().unwrap() {
        if event["name"] == "thread_name" && event["pid"] == 2 {
            event["args"]["name"] = "lane".into();
        }
    }
    let again = imported(&document.to_string());
    assert_eq!(again.task_count(), 1);
    let text = "slice from dispatch to finish left out: of no known core or task";
    assert!(again.notes().iter().any(|note| note.text == text));
}
