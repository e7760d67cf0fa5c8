//! Scheduler phases, counters and tensors against numbers worked out by hand.

use lanescope_report::Report;
use lanescope_trace::{
    Chip, Functions, PmuRow, Role, SchedulerPhase, Session, Stage, TensorRow, Trace, TraceParts,
};

fn phase(phase: u32, times: (u64, u64), round: u64, tasks: u64) -> SchedulerPhase {
    SchedulerPhase {
        start_ticks: times.0,
        end_ticks: times.1,
        phase,
        loop_iter: round,
        tasks_processed: if phase < SchedulerPhase::IDLE {
            tasks
        } else {
            0
        },
        rounds: if phase < SchedulerPhase::IDLE {
            1
        } else {
            tasks
        },
        pops: (phase == SchedulerPhase::DISPATCH).then_some((tasks, 3)),
    }
}

fn counted(func_id: u32, total_cycles: u64, counters: [u32; 10]) -> PmuRow {
    PmuRow {
        func_id,
        event: 2,
        total_cycles,
        counters,
        ..PmuRow::default()
    }
}

fn parts() -> TraceParts {
    let mut session = Session::named("a2a3sim", 50_000_000);
    session.chip = Some(Chip::A2a3);
    let tensor = TensorRow {
        role: Role::Output,
        stage: Stage::AfterCompletion,
        payload_bytes: 4,
        tensor_bytes: 4,
        ..TensorRow::default()
    };
    let cut = TensorRow {
        is_truncated: true,
        tensor_bytes: 10,
        ..TensorRow::default()
    };
    TraceParts {
        session,
        functions: Functions::from_iter([(3, "add")]),
        scheduler_phases: vec![
            Vec::new(),
            vec![
                phase(SchedulerPhase::DISPATCH, (100, 150), 1, 2),
                phase(SchedulerPhase::IDLE, (150, 350), 2, 7),
                phase(SchedulerPhase::BLOCKED, (360, 370), 9, 1),
                phase(SchedulerPhase::COMPLETE, (350, 400), 9, 2),
                phase(SchedulerPhase::DISPATCH, (400, 500), 10, 1),
            ],
        ],
        pmu: vec![vec![
            counted(3, 100, [50, 0, 25, 0, 10, 5, 1, 40, 9, 9]),
            counted(3, 300, [100, 0, 75, 0, 30, 15, 3, 40, 9, 9]),
            PmuRow {
                event: 4,
                ..counted(3, 1 << 40, [1; 10])
            },
            counted(5, 0, [0; 10]),
        ]],
        tensors: vec![vec![tensor, cut]],
        ..TraceParts::default()
    }
}

#[test]
fn a_scheduler_by_hand() {
    let report = Report::of(&Trace::new(parts()));
    let [scheduler] = &report.schedulers[..] else {
        panic!("only thread 1 has phases: {:?}", report.schedulers);
    };
    assert_eq!((scheduler.thread, scheduler.span_ns), (1, 400 * 20));
    // The idle stretch holds rounds 2 to 8.
    assert_eq!(scheduler.loops, 10);
    assert_eq!((scheduler.completed, scheduler.dispatched), (2, 3));
    assert!((scheduler.completed_per_loop - 0.2).abs() < 1e-12);
    assert_eq!((scheduler.pop_hits, scheduler.pop_misses), (3, 6));
    let phases: Vec<_> = scheduler
        .phases
        .iter()
        .map(|phase| (phase.name, phase.count, phase.sum_ns, phase.share))
        .collect();
    let expected = [
        ("complete", 1, 1000, 0.125),
        ("dispatch", 2, 3000, 0.375),
        ("idle", 1, 4000, 0.5),
        ("blocked", 1, 200, 0.025),
    ];
    assert_eq!(phases, expected);
}

/// Of the one thread with phases: span, and the own time of `complete`, `dispatch`, and `blocked`.
fn own_times(phases: Vec<SchedulerPhase>) -> (lanescope_report::SchedulerReport, [u64; 3]) {
    let mut parts = parts();
    parts.scheduler_phases = vec![phases];
    let report = Report::of(&Trace::new(parts));
    let scheduler = report.schedulers[0].clone();
    let own = ["complete", "dispatch", "blocked"].map(|name| {
        let mut phases = scheduler.phases.iter();
        let phase = phases.find(|phase| phase.name == name);
        phase.map_or(0, |phase| phase.own_ns)
    });
    (scheduler, own)
}

#[test]
fn a_phase_without_a_time_is_in_no_time() {
    let (scheduler, own) = own_times(vec![
        phase(SchedulerPhase::DISPATCH, (0, 1_000_005), 1, 1),
        phase(SchedulerPhase::COMPLETE, (1_000_021, 1_000_025), 2, 1),
        phase(SchedulerPhase::DISPATCH, (1_000_040, 1_000_030), 3, 1),
    ]);
    assert_eq!((scheduler.span_ns, own), (80, [80, 0, 0]));
    assert_eq!((scheduler.unknown_phases, scheduler.loops), (2, 3));
    assert_eq!((scheduler.dispatched, scheduler.completed), (2, 1));
}

#[test]
fn phases_out_of_order_keep_their_own_time() {
    let (scheduler, own) = own_times(vec![
        phase(SchedulerPhase::DISPATCH, (1100, 1200), 2, 1),
        phase(SchedulerPhase::BLOCKED, (1010, 1020), 1, 1),
        phase(SchedulerPhase::COMPLETE, (1000, 1050), 1, 1),
    ]);
    assert_eq!(own, [40 * 20, 100 * 20, 10 * 20]);
    assert_eq!(scheduler.untracked_ns, 50 * 20);
}

#[test]
fn counters_by_hand() {
    let report = Report::of(&Trace::new(parts()));
    let pmu = report.pmu.expect("there are rows");
    assert_eq!((pmu.event, pmu.event_name), (2, "pipe-utilization"));
    assert_eq!((pmu.rows, pmu.rows_of_other_events), (4, 1));
    let [add, other] = &pmu.functions[..] else {
        panic!("two functions: {:?}", pmu.functions);
    };
    assert_eq!((add.name.as_str(), add.rows, add.cycles), ("add", 2, 400));
    let rates: Vec<_> = add
        .counters
        .iter()
        .map(|counter| (counter.column, counter.sum, counter.rate))
        .collect();
    assert_eq!(rates[0], ("vec_busy_cycles", 150, 0.375));
    assert_eq!(rates[6], ("icache_miss", 4, 10.0));
    assert_eq!(rates[7], ("icache_req", 80, 200.0));
    assert_eq!(rates.len(), 8);
    assert!(other.counters.iter().all(|counter| counter.rate == 0.0));
}

#[test]
fn requests_are_bytes() {
    let mut parts = parts();
    let row = PmuRow {
        event: 4,
        ..counted(3, 640, [10, 0, 5, 0, 0, 0, 0, 0, 0, 0])
    };
    parts.pmu = vec![vec![row]];
    let report = Report::of(&Trace::new(parts));
    let pmu = report.pmu.expect("there are rows");
    let first = &pmu.functions[0].counters[0];
    assert_eq!(
        (first.column, first.unit),
        ("ub_read_req", "bytes per cycle")
    );
    assert!((first.rate - 1.0).abs() < 1e-12);
}

#[test]
fn the_text_shows_all_three() {
    let text = Report::of(&Trace::new(parts())).text();
    let expected = "
AICPU threads: time by phase (blocked overlaps the others)
 thread  span µs  complete  dispatch    idle  blocked  loops  completed  per loop  dispatched  pop hits
 1         8.000    12.5 %    37.5 %  50.0 %    2.5 %     10          2     0.200           3    33.3 %

A round of their loop in ns, waits apart; complete and dispatch for each task
 thread  loop ns  complete  dispatch   idle  blocked  untracked  work a task
 1         800.0      80.0     300.0  400.0     20.0        0.0       1900.0

Hardware counters: event type 2 (pipe-utilization) over cycles; % busy, B bytes a cycle, k events in 1000
 function  tasks  cycles  vec_busy  cube_busy  scalar_busy  mte1_busy  mte2_busy  mte3_busy  icache_miss  icache_req
 add           2     400    37.5 %      0.0 %       25.0 %      0.0 %     10.0 %      5.0 %      10.00 k    200.00 k
 func_5        1       0     0.0 %      0.0 %        0.0 %      0.0 %      0.0 %      0.0 %       0.00 k      0.00 k
of another event type, and left out above: 1 rows

Tensors: 2 with 4 bytes, 1 before dispatch and 1 after completion
  1 truncated, 10 bytes left out
";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn numbers_of_any_size_make_a_report() {
    let mut parts = parts();
    let huge = SchedulerPhase {
        pops: Some((u64::MAX, u64::MAX)),
        ..phase(SchedulerPhase::COMPLETE, (1, u64::MAX), u64::MAX, u64::MAX)
    };
    let reversed = phase(SchedulerPhase::IDLE, (u64::MAX, 1), 1, u64::MAX);
    let unknown = phase(77, (5, 6), 1, 1);
    parts.scheduler_phases = vec![vec![huge, huge, reversed, unknown]];
    parts.pmu = vec![vec![counted(1, u64::MAX, [u32::MAX; 10]); 3]];
    let tensor = TensorRow {
        payload_bytes: u64::MAX,
        tensor_bytes: u64::MAX,
        ..TensorRow::default()
    };
    parts.tensors = vec![vec![tensor, tensor]];
    let report = Report::of(&Trace::new(parts));
    assert_eq!(report.schedulers[0].loops, u64::MAX);
    assert_eq!(report.schedulers[0].completed, u64::MAX);
    assert_eq!(
        report.pmu.as_ref().expect("rows").functions[0].cycles,
        u64::MAX
    );
    assert_eq!(report.dump.expect("tensors").bytes, u64::MAX);
    assert!(report.text().contains("Tensors: 2"));
}
