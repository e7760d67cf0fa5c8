//! Runs small enough for paper.

use super::{Row, parts, trace};
use lanescope_capture::{Abandoned, CoreCounts, Counts};
use lanescope_report::{CriticalPath, PartsReport, Report};
use lanescope_trace::{CoreType, DeviceInfo, Kind, PmuRow, SchedulerPhase, Trace, Verdict};

const AIC: CoreType = CoreType::Aic;
const AIV: CoreType = CoreType::Aiv;

const ROWS: [Row; 5] = [
    (0, 0, [1000, 1010, 1110, 1130]),
    (1, 1, [1000, 1020, 1070, 1080]),
    (2, 0, [1140, 1150, 1200, 1210]),
    (3, 1, [1135, 1145, 1345, 1360]),
    (4, 0, [1370, 1380, 1400, 1420]),
];
const EDGES: [(u32, u32); 5] = [(0, 2), (1, 2), (0, 3), (2, 4), (3, 4)];

#[test]
fn the_parts_of_a_core_add_up_to_the_makespan() {
    let mut parts = parts(&[AIC, AIC], &ROWS, &EDGES);
    parts.scheduler_phases = vec![vec![SchedulerPhase {
        start_ticks: 1220,
        end_ticks: 1250,
        phase: SchedulerPhase::BLOCKED,
        ..SchedulerPhase::default()
    }]];
    let report = Report::of(&Trace::new(parts));
    assert_eq!(report.makespan_ns, Some(420));
    let expected = [
        PartsReport {
            run_ns: 170,
            head_wait_ns: 30,
            tail_wait_ns: 50,
            starved_ns: 140,
            blocked_ns: 30,
            unknown_ns: 0,
        },
        PartsReport {
            run_ns: 250,
            head_wait_ns: 30,
            tail_wait_ns: 25,
            starved_ns: 115,
            blocked_ns: 0,
            unknown_ns: 0,
        },
    ];
    assert_eq!(report.cores[0].parts, expected[0]);
    assert_eq!(report.cores[1].parts, expected[1]);
    assert_eq!(report.core_types[0].parts.run_ns, 420);
    let gaps: Vec<_> = report
        .gaps
        .iter()
        .map(|gap| {
            (
                gap.core,
                gap.from_ns,
                gap.length_ns,
                gap.after_task,
                gap.before_task,
            )
        })
        .collect();
    assert_eq!(
        gaps,
        [(0, 210, 160, 2, 4), (1, 80, 55, 1, 3), (0, 130, 10, 0, 2)]
    );
    let slowest: Vec<_> = report
        .slowest
        .iter()
        .map(|task| (task.task_id, task.run_ns))
        .collect();
    assert_eq!(slowest, [(3, 200), (0, 100), (1, 50), (2, 50), (4, 20)]);
}

#[test]
fn the_limits_add_up_to_the_makespan() {
    let report = Report::of(&trace(&[AIC, AIC], &ROWS, &EDGES));
    let limits = report.limits.unwrap();
    assert_eq!(
        (limits.dependencies_ns, limits.cores_ns, limits.scheduler_ns),
        (305, 0, 115)
    );
    assert_eq!((limits.nothing_ran_ns, limits.unknown_rows), (100, 0));
    let [aic] = &limits.idle[..] else {
        panic!("one core type: {:?}", limits.idle);
    };
    assert_eq!((aic.beside_waiting_ns, aic.without_waiting_ns), (140, 280));
}

#[test]
fn cores_limit_while_all_of_a_wanted_type_run() {
    // Task 1 waits for the one cube core from 1000 to 1060; the vector core has nothing to do.
    let rows = [
        (0, 0, [1000, 1010, 1050, 1055]),
        (1, 0, [1005, 1060, 1080, 1085]),
        (2, 1, [1056, 1057, 1070, 1071]),
    ];
    let report = Report::of(&trace(&[AIC, AIV], &rows, &[(0, 2)]));
    let limits = report.limits.unwrap();
    // 1010..1050 all cube cores run; 1060..1080 nothing waits; else a core was free.
    assert_eq!(
        (limits.dependencies_ns, limits.cores_ns, limits.scheduler_ns),
        (20, 40, 25)
    );
}

#[test]
fn the_critical_path_adds_up_to_the_makespan() {
    let trace = trace(&[AIC, AIC], &ROWS, &EDGES);
    let path = CriticalPath::of(&trace).unwrap();
    let steps: Vec<_> = path
        .steps
        .iter()
        .map(|step| {
            let wait = &step.wait;
            let wait = [
                wait.notice_ticks,
                wait.queue_ticks,
                wait.head_ticks,
                wait.unknown_ticks,
            ];
            (step.task.task_id, wait)
        })
        .collect();
    assert_eq!(
        steps,
        [
            (0, [0, 0, 10, 0]),
            (3, [20, 5, 10, 0]),
            (4, [15, 10, 10, 0])
        ]
    );
    assert_eq!((path.tail_ticks, path.floor_ticks), (20, 320));
    let report = Report::of(&trace).critical_path.unwrap();
    assert_eq!(
        (report.run_ns, report.wait_ns, report.tail_ns),
        (320, 80, 20)
    );
    assert_eq!(report.steps.len(), path.steps.len());
}

#[test]
fn what_is_not_known_is_told_and_not_guessed() {
    let mut rows = ROWS;
    // Nobody knows when task 0 was seen finished, nor when task 3 was dispatched.
    rows[0].2[3] = 0;
    rows[3].2[0] = 0;
    let trace = trace(&[AIC, AIC], &rows, &EDGES);
    let report = Report::of(&trace);
    // 1110..1140 on core 0 lies beside the unknown finish; 1080..1145 on core 1 beside the dispatch.
    assert_eq!(report.cores[0].parts.unknown_ns, 30);
    assert_eq!(report.cores[1].parts.unknown_ns, 65);
    let path = CriticalPath::of(&trace).unwrap();
    assert_eq!(path.steps[1].wait.unknown_ticks, 35);
    assert_eq!(path.steps[1].wait.ticks(), 35);
}

#[test]
fn edges_that_cannot_be_followed_are_counted() {
    // 0 and 1 depend on each other; 3 has no row; 2 started before its producer had ended.
    let rows = [
        (0, 0, [1000, 1010, 1020, 1021]),
        (1, 0, [1000, 1030, 1040, 1041]),
        (2, 1, [1000, 1015, 1050, 1051]),
    ];
    let edges = [(0, 1), (1, 0), (1, 2), (3, 2)];
    let path = CriticalPath::of(&trace(&[AIC, AIC], &rows, &edges)).unwrap();
    let ids: Vec<u64> = path.steps.iter().map(|step| step.task.task_id).collect();
    assert_eq!(ids, [2]);
    // Backward: 1 to 0, and 1 to 2.
    assert_eq!((path.backward_edges, path.dangling_edges), (2, 1));
    // 0 and 1; not 2, which is behind them.
    assert_eq!(path.in_circles, 2);
}

#[test]
fn the_floor_follows_no_edge_that_was_not_kept() {
    // Both ran at one time, though the second depends on the first.
    let rows = [
        (0, 0, [1000, 1000, 1100, 1101]),
        (1, 1, [1000, 1000, 1100, 1101]),
    ];
    let path = CriticalPath::of(&trace(&[AIV, AIV], &rows, &[(0, 1)])).unwrap();
    assert_eq!((path.floor_ticks, path.backward_edges), (100, 1));
}

#[test]
fn what_is_behind_a_circle_is_in_the_floor() {
    let rows = [
        (0, 0, [1000, 1010, 1020, 1021]),
        (1, 0, [1022, 1030, 1040, 1041]),
        (2, 0, [1042, 1050, 1950, 1951]),
        (3, 0, [1952, 1960, 1990, 2000]),
    ];
    let edges = [(0, 1), (1, 0), (1, 2), (2, 3)];
    let path = CriticalPath::of(&trace(&[AIV], &rows, &edges)).unwrap();
    assert_eq!((path.in_circles, path.floor_ticks), (2, 950));
    // A circle of tasks without length, and a long one behind it.
    let rows = [
        (0, 0, [1000, 1100, 1100, 1101]),
        (1, 0, [1000, 1100, 1100, 1101]),
        (2, 0, [1101, 1110, 1150, 1151]),
    ];
    let edges = [(0, 1), (1, 0), (1, 2)];
    let path = CriticalPath::of(&trace(&[AIV], &rows, &edges)).unwrap();
    assert_eq!((path.in_circles, path.floor_ticks), (2, 40));
    // Each task of the circle is a step once.
    assert_eq!(path.steps.len(), 3);
}

#[test]
fn a_first_step_behind_tasks_that_are_not_known_waited_for_who_knows_what() {
    let rows = [
        (1, 0, [1050, 1060, 1100, 1101]),
        (2, 0, [1000, 1001, 1010, 0]),
    ];
    // 0 has no row.
    let path = CriticalPath::of(&trace(&[AIV], &rows, &[(0, 1)])).unwrap();
    let wait = path.steps[0].wait;
    assert_eq!(
        (wait.unknown_ticks, wait.queue_ticks, wait.head_ticks),
        (50, 0, 10)
    );
    let path = CriticalPath::of(&trace(&[AIV], &rows, &[(1, 3)])).unwrap();
    let wait = path.steps[0].wait;
    assert_eq!(
        (wait.unknown_ticks, wait.queue_ticks, wait.head_ticks),
        (0, 50, 10)
    );
}

#[test]
fn rows_lost_at_the_end_of_a_core_make_it_unknown() {
    let rows = [
        (0, 0, [1000, 1000, 1010, 1010]),
        (1, 0, [1010, 1010, 1020, 1020]),
        (2, 1, [1000, 1000, 1100, 1100]),
    ];
    let mut parts = parts(&[AIV, AIV, AIV, AIV], &rows, &[(0, 1)]);
    let mut verdict = Verdict::new(1);
    // Core 0 ran two more tasks, core 2 was given one, core 3 none.
    for (core, dispatched, collected) in [(0, 4, 2), (1, 1, 1), (2, 1, 0)] {
        verdict.cores.push(CoreCounts {
            kind: Kind::TASK,
            thread: 0,
            core: Some(core),
            dispatched,
            counts: Counts {
                total: collected,
                collected,
                ..Counts::default()
            },
        });
    }
    parts.verdict = Some(verdict);
    let report = Report::of(&Trace::new(parts));
    let idle: Vec<_> = report
        .cores
        .iter()
        .map(|core| (core.parts.starved_ns, core.parts.unknown_ns))
        .collect();
    assert_eq!(idle, [(0, 80), (0, 0), (0, 100), (100, 0)]);
    assert_eq!(report.limits.as_ref().unwrap().lost_rows, 3);
    let told = "as if they stood still: 3 tasks that ran";
    assert!(report.text().contains(told), "{}", report.text());
    assert!(report.html().contains(told));
}

#[test]
fn an_unknown_finish_is_beside_the_next_row_only() {
    let rows = [
        (0, 0, [1000, 1000, 1010, 0]),
        (1, 0, [1005, 1010, 1020, 1021]),
        (2, 0, [1100, 1110, 1120, 1121]),
    ];
    let report = Report::of(&trace(&[AIV], &rows, &[]));
    let parts = &report.cores[0].parts;
    assert_eq!((parts.unknown_ns, parts.starved_ns), (0, 79));
}

#[test]
fn a_core_with_two_kernels_is_one_core() {
    // Task 2 waits while core 0 runs two tasks and core 1 none.
    let rows = [
        (0, 0, [1000, 1000, 1100, 1101]),
        (1, 0, [1000, 1010, 1090, 1101]),
        (2, 1, [1000, 1200, 1300, 1301]),
        (3, 1, [1301, 1310, 1320, 1330]),
    ];
    let report = Report::of(&trace(&[AIV, AIV], &rows, &[(2, 3)]));
    let limits = report.limits.unwrap();
    // Until 1200 task 2 waits beside a free core; 1200..1300 and 1310..1320 nothing waits; between these and
    // behind them nothing runs.
    assert_eq!(
        (limits.dependencies_ns, limits.cores_ns, limits.scheduler_ns),
        (110, 0, 220)
    );
}

#[test]
fn a_task_with_several_rows_ends_with_the_last() {
    let rows = [
        (0, 0, [1000, 1010, 1100, 1110]),
        (0, 1, [1000, 1010, 1030, 1040]),
        (1, 1, [1111, 1120, 1130, 1140]),
    ];
    let path = CriticalPath::of(&trace(&[AIC, AIV], &rows, &[(0, 1)])).unwrap();
    assert_eq!(path.steps[0].task.core, 0);
    assert_eq!((path.steps[1].wait.ticks(), path.floor_ticks), (20, 100));
}

#[test]
fn stragglers_are_those_beyond_twice_the_median() {
    let rows: Vec<Row> = [10, 10, 10, 20, 21, 50]
        .iter()
        .zip(0..)
        .map(|(&run, id)| (id, 0, [1, 1 + 100 * id, 1 + 100 * id + run, 900]))
        .collect();
    let report = Report::of(&trace(&[AIC], &rows, &[]));
    let stragglers = &report.functions[0].stragglers;
    // The median is the element at place 3: 20; only 50 is more than 40.
    assert_eq!((stragglers.count, stragglers.excess_ns), (1, 30));
    assert_eq!(stragglers.worst_task, Some(5));
    assert!(report.limits.is_none() && report.critical_path.is_none());
}

#[test]
fn a_page_tells_of_every_doubt() {
    let mut rows = ROWS;
    // Nobody knows when task 0 was seen finished, when task 3 was dispatched and when 4 ended.
    rows[0].2[3] = 0;
    rows[3].2[0] = 0;
    rows[4].2[2] = 0;
    let mut parts = parts(&[AIC, AIV], &rows, &[(0, 2), (2, 0), (4, 3), (5, 1)]);
    parts.session.devices = vec![DeviceInfo {
        name: "node1/0".to_owned(),
        cores: 2,
        uncertainty_ns: 1234,
        ..DeviceInfo::default()
    }];
    parts.scheduler_phases = vec![vec![SchedulerPhase {
        end_ticks: 1250,
        ..SchedulerPhase::default()
    }]];
    let pmu = |event| PmuRow {
        event,
        ..PmuRow::default()
    };
    parts.pmu = vec![vec![pmu(2), pmu(4)]];
    let mut verdict = Verdict::new(1);
    verdict.abandoned.push(Abandoned::new(1, 77));
    parts.verdict = Some(verdict);
    let page = Report::of(&Trace::new(parts)).html();
    for told in [
        "<td>± 1,234</td>",
        "not known to wait, and left out above: 3 rows",
        "1 edges whose producer ended",
        "1 edges that name a task without a row",
        "depending on themselves: 2 tasks",
        "1 run times, 1 head waits, 2 tail waits",
        "no time above: 1 phases",
        "of another event type, and left out above: 1 rows",
        "in flight: ",
        "<th>µs beside a waiting task</th>",
    ] {
        assert!(page.contains(told), "{told}\n{page}");
    }
    let rows: Vec<Row> = [10, 10, 10, 50]
        .iter()
        .zip(0..)
        .map(|(&run, id)| (id, 0, [1, 1 + 100 * id, 1 + 100 * id + run, 900]))
        .collect();
    let page = Report::of(&trace(&[AIC], &rows, &[])).html();
    assert!(page.contains("<h2>Stragglers"), "{page}");
}
