//! `chip_swimlane_records.json` of real hardware, and all the streams such a file can have.

use super::{Folder, data, notes};
use lanescope_trace::{Chip, CoreType, SchedulerPhase, Trace};

#[test]
fn the_rows_of_real_hardware_are_exact() {
    let trace = Trace::open(data("import/chip_swimlane_records.json")).unwrap();
    let session = trace.session();
    assert_eq!((session.chip, session.level), (Some(Chip::A5), Some(4)));
    assert_eq!(
        (session.cores.len(), session.ticks_per_second),
        (84, 1_000_000_000)
    );
    assert_eq!(session.cores[8].thread, Some(1));
    assert_eq!(session.cores[28].core_type, CoreType::Aiv);
    assert_eq!(trace.task_count(), 133);
    let first = trace
        .tasks()
        .find(|task| task.task_id == 4_294_967_322)
        .unwrap();
    assert_eq!((first.core, first.token), (0, 1));
    assert_eq!(first.start_ticks, 84_195_465_005_227);
    assert_eq!(first.receive_ticks, 84_195_465_005_227 - 3601);
    assert_eq!(first.end_ticks, 84_195_465_036_728);
    assert_eq!(first.dispatch_ticks, 0);
    assert_eq!(trace.notes(), []);
}

const RECORDS: &str = r#"{"chip_swimlane_level": 4,
  "aicore_tasks": [[1, 70, 5, 1000, 1100, 10, 2], [0, 70, 5, 990, 1090, 11, 2], [0, 71, 5, 2000, 2100, 12, 3],
    [0, 99, 6, 3000, 3100, 0, 3]],
  "scheduler_tasks": {"producer": "aicpu", "records": [[0, 5, 1900, 2200, 3], [0, 5, 900, 1200, 2],
    [1, 5, 910, 1210, 2], [1, 8, 5000, 0, 2]]},
  "metadata": {"clock_freq_hz": 50000000, "num_cores": 2, "core_types": ["aic", "aiv"],
    "core_to_thread": [0, -1]},
  "scheduler_records": {"streams": [{"producer": "aicpu", "scheduler_id": 2, "records": [
    {"start_cycles": 100, "end_cycles": 120, "run_epoch": 2, "loop_iter": 4, "kind": "dispatch",
     "tasks_processed": 1, "pop_hit": 3, "pop_miss": 4},
    {"start_cycles": 120, "end_cycles": 130, "kind": "release", "tasks_processed": 0}]}]},
  "aicpu_orchestrator_phases": [[{"submit_idx": 7, "task_id": 70, "start_cycles": 10, "end_cycles": 30}]]}"#;

const DEPS: &str = r#"{"runtime": "x", "tasks": [
    {"task_id": "70", "kernel_ids": [3, 4, -1]}, {"task_id": "71", "kernel_ids": [5, -1, -1]}, {"task_id": "9"}],
  "edges": [{"pred": "70", "succ": "71", "arg": 0}, {"pred": "70", "succ": "71", "arg": 1},
    {"pred": "9223372036854775808", "succ": "70"}]}"#;

#[test]
fn halves_join_by_run_core_and_number_and_the_graph_names_functions() {
    let folder = Folder::new();
    folder.file("deps.json", DEPS);
    let trace = Trace::open(folder.file("chip_swimlane_records.json", RECORDS)).unwrap();
    let mut tasks: Vec<_> = trace
        .tasks()
        .map(|task| {
            let times = (task.dispatch_ticks, task.receive_ticks, task.finish_ticks);
            (task.task_id, task.core, task.func_id, times)
        })
        .collect();
    tasks.sort_unstable();
    assert_eq!(
        tasks,
        [
            (70, 0, 3, (900, 979, 1200)),
            (70, 1, 4, (910, 990, 1210)),
            (71, 0, 5, (1900, 1988, 2200)),
            (99, 0, 0, (0, 3000, 0)),
        ]
    );
    let mut edges: Vec<_> = trace.edges().iter().collect();
    edges.sort_unstable();
    assert_eq!(edges, [(70, 71), (1 << 63, 70)]);
    let phases: Vec<_> = trace.scheduler_phases(2).collect();
    assert_eq!(phases[0].phase, SchedulerPhase::DISPATCH);
    assert_eq!(
        (phases[0].pops, phases[1].name()),
        (Some((3, 4)), "unknown")
    );
    let submitted = trace.orchestrator_phases(0).next().unwrap();
    assert_eq!((submitted.name(), submitted.task_id), ("orch_submit", 70));
    assert_eq!(
        notes(&trace),
        [
            (1, "dispatch without the core's half of its record"),
            (1, "scheduler phase of an unknown name, as `release`"),
            (1, "task whose function the graph does not say"),
            (1, "task without the scheduler's half of its record"),
        ]
    );
}

#[test]
fn cores_without_a_type_are_counted() {
    let text = RECORDS.replace(r#""core_types": ["aic", "aiv"],"#, "");
    for (text, expected) in [
        (RECORDS.to_owned(), None),
        (RECORDS.replace(r#"["aic", "aiv"]"#, r#"["aic"]"#), Some(1)),
        (text, Some(2)),
    ] {
        let trace = super::read("r.json", text).unwrap();
        let what = "whose type the source does not say, taken as aiv";
        let notes = trace.notes().iter();
        let mut notes = notes.filter(|note| note.text.ends_with(what));
        assert_eq!(notes.next().map(|note| note.count), expected);
    }
}

#[test]
fn a_graph_of_another_version_is_refused() {
    let folder = Folder::new();
    let rows = folder.file("chip_swimlane_records.json", RECORDS);
    let graph = |version: &str| DEPS.replacen('{', &format!("{{\"version\": {version}, "), 1);
    folder.file("deps.json", graph("2"));
    assert_eq!(Trace::open(&rows).unwrap().edges().len(), 2);
    let path = folder.file("deps.json", graph("3"));
    let refused = Trace::open(&rows).unwrap_err().to_string();
    assert!(
        refused.starts_with(&path.display().to_string()),
        "{refused}"
    );
    assert!(refused.ends_with("version 3, expected 2"), "{refused}");
}

#[test]
fn rows_of_one_number_are_joined_in_their_order() {
    let text = r#"{"metadata": {"clock_freq_hz": 50000000},
        "aicore_tasks": [[0, 1, 0, 100, 110], [0, 2, 0, 200, 210], [1, 3, 0, 300, 310], [0, 4, 0, 400, 410]],
        "aicpu_tasks": [[0, 0, 190, 220], [2, 0, 1, 2], [0, 0, 90, 120], [1, 0, 290, 320], [1, 0, 390, 420]]}"#;
    let trace = super::read("r.json", text).unwrap();
    let joined: Vec<_> = trace
        .tasks()
        .map(|task| (task.task_id, task.dispatch_ticks))
        .collect();
    assert_eq!(joined, [(1, 190), (2, 90), (3, 290), (4, 0)]);
    let notes: Vec<_> = trace.notes().iter().map(|note| note.count).collect();
    assert_eq!(notes, [3, 2, 1], "{:?}", trace.notes());
}

#[test]
fn phases_may_come_before_their_thread_and_under_any_name() {
    let phases: Vec<String> = (0..100)
        .map(|place| {
            let name = ["dispatch".to_owned(), format!("n{place}")][place % 2].clone();
            let start = 10 * place + 1;
            format!(
                r#"{{"start_cycles": {start}, "end_cycles": {}, "kind": "{name}"}}"#,
                start + 5
            )
        })
        .collect();
    let text = format!(
        r#"{{"metadata": {{"clock_freq_hz": 50000000}}, "aicore_tasks": [],
        "scheduler_records": {{"streams": [{{"records": [{}], "scheduler_id": 3}}]}}}}"#,
        phases.join(",")
    );
    let trace = super::read("r.json", text).unwrap();
    let starts: Vec<_> = trace
        .scheduler_phases(3)
        .map(|phase| phase.start_ticks)
        .collect();
    assert_eq!(
        starts,
        (0..100).map(|place| 10 * place + 1).collect::<Vec<_>>()
    );
    assert_eq!(trace.notes().len(), 17);
    let others = trace
        .notes()
        .iter()
        .find(|note| note.text.contains("other unknown"));
    assert_eq!(others.unwrap().count, 50 - 16);
}
