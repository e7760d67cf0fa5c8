//! Statistics against numbers worked out by hand, and against a slow and obvious computation.

use lanescope_report::{Report, Spread};
use lanescope_trace::synth::Synth;
use lanescope_trace::{
    Core, CoreType, FindingKind, Functions, Outcome, Session, Task, Trace, TraceParts, Verdict,
};
use std::path::Path;

fn task(core: u16, func_id: u32, times: [u64; 4]) -> Task {
    let [dispatch_ticks, start_ticks, end_ticks, finish_ticks] = times;
    Task {
        task_id: start_ticks,
        func_id,
        core,
        core_type: match core {
            0 => CoreType::Aic,
            _ => CoreType::Aiv,
        },
        dispatch_ticks,
        start_ticks,
        end_ticks,
        finish_ticks,
        ..Task::default()
    }
}

fn small() -> TraceParts {
    let core = |core_type| Core {
        core_type,
        thread: Some(0),
        first_token: None,
    };
    let mut session = Session::named("a2a3sim", 50_000_000);
    session.workload = "by hand".to_owned();
    session.cores = vec![
        core(CoreType::Aic),
        core(CoreType::Aiv),
        core(CoreType::Aiv),
    ];
    TraceParts {
        session,
        functions: Functions::from_iter([(3, "add")]),
        tasks: vec![
            task(0, 3, [100, 110, 210, 220]),
            task(0, 3, [205, 215, 515, 600]),
            task(1, 9, [300, 350, 500, 0]),
            task(1, 9, [0, 600, 550, 1100]),
        ],
        ..TraceParts::default()
    }
}

#[test]
fn numbers_by_hand() {
    let report = Report::of(&Trace::new(small()));
    assert_eq!(report.makespan_ns, Some(1000 * 20));
    let [add, other] = &report.functions[..] else {
        panic!("two functions: {:?}", report.functions);
    };
    assert_eq!((add.func_id, add.name.as_str(), add.count), (3, "add", 2));
    let expected = Spread {
        known: 2,
        unknown: 0,
        sum_ns: 8000,
        mean_ns: Some(4000.0),
        p50_ns: Some(6000),
        p99_ns: Some(6000),
        max_ns: Some(6000),
    };
    assert_eq!(add.run, expected);
    assert_eq!(add.head_wait.mean_ns, Some(200.0));
    assert_eq!(add.tail_wait.mean_ns, Some(950.0));
    assert!((add.share - 400.0 / 550.0).abs() < 1e-12);
    assert_eq!((other.name.as_str(), other.count), ("func_9", 2));
    // One row runs backwards, one lacks its finish, one its dispatch: counted, never averaged as 0.
    assert_eq!((other.run.known, other.run.unknown), (1, 1));
    assert_eq!(other.run.mean_ns, Some(3000.0));
    assert_eq!((other.head_wait.known, other.head_wait.unknown), (1, 1));
    assert_eq!((other.tail_wait.known, other.tail_wait.unknown), (1, 1));
    assert_eq!(other.tail_wait.p50_ns, Some(550 * 20));
    let [aic, aiv] = &report.core_types[..] else {
        panic!("two core types: {:?}", report.core_types);
    };
    assert_eq!(
        (aic.cores, aic.used, aic.tasks, aic.busy_ns),
        (1, 1, 2, 8000)
    );
    assert!((aic.utilisation - 0.4).abs() < 1e-12);
    // An idle core counts as idle.
    assert_eq!((aiv.cores, aiv.used), (2, 1));
    assert!((aiv.utilisation - 0.075).abs() < 1e-12);
    assert!((aiv.least, aiv.most) == (0.0, 0.15));
}

#[test]
fn the_text_reads_without_colour() {
    let mut parts = small();
    let mut verdict = Verdict::new(1);
    verdict.totals.total = 5;
    verdict.totals.collected = 4;
    verdict.totals.dropped.no_buffer = 1;
    verdict.find(FindingKind::Dropped, 1, "1 record dropped on core 1");
    assert_eq!(verdict.outcome, Outcome::Lossy);
    parts.verdict = Some(verdict);
    let text = Report::of(&Trace::new(parts)).text();
    let expected = "\
by hand on a2a3sim
4 tasks, 0 edges, 3 cores
makespan 20.000 µs

Functions: run, head wait and tail wait in µs
 function  tasks   share  run mean    p50    p99    max  head mean    p50    p99  tail mean     p50     p99
 add           2  72.7 %     4.000  6.000  6.000  6.000      0.200  0.200  0.200      0.950   1.700   1.700
 func_9        2  27.3 %     3.000  3.000  3.000  3.000      1.000  1.000  1.000     11.000  11.000  11.000

Cores: kernel time over makespan
 cores  count  used  tasks  busy µs  utilisation   least    most
 aic        1     1      2    8.000       40.0 %  40.0 %  40.0 %
 aiv        2     1      2    3.000        7.5 %   0.0 %  15.0 %

What the cores did: parts of the makespan, mean over all of a type
 cores     run  head wait  tail wait  starved  blocked  unknown
 aic    40.0 %      1.5 %      8.5 %   50.0 %    0.0 %    0.0 %
 aiv     7.5 %      2.5 %      0.0 %   60.0 %    0.0 %   30.0 %

no critical path: the source has no edges

Slowest tasks
 task           core  start µs  run µs
 add(t215)     AIC_0     2.300   6.000
 func_9(t350)  AIV_1     5.000   3.000
 add(t110)     AIC_0     0.200   2.000

unknown, and left out above: 1 run times, 1 head waits, 1 tail waits

verdict: lossy (4 of 5 records collected, 1 dropped)
  1 record dropped on core 1
";
    assert_eq!(text, expected);
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn quantiles_equal_those_of_sorted_lists() {
    let synth = Synth {
        tasks: 30_000,
        ..Synth::default()
    };
    let trace = synth.trace().unwrap();
    let report = Report::of(&trace);
    assert_eq!(report.functions.len(), 5);
    for function in &report.functions {
        let tasks = trace
            .tasks()
            .filter(|task| task.func_id == function.func_id);
        let mut runs: Vec<u64> = tasks.map(|task| task.run_ticks().unwrap() * 20).collect();
        runs.sort_unstable();
        assert_eq!(function.count, runs.len() as u64);
        assert_eq!(function.run.p50_ns, Some(runs[runs.len() / 2]));
        assert_eq!(function.run.p99_ns, Some(runs[runs.len() * 99 / 100]));
        assert_eq!(function.run.max_ns, runs.last().copied());
        assert_eq!(function.run.sum_ns, runs.iter().sum::<u64>());
    }
    let busy: u64 = report.cores.iter().map(|core| core.busy_ns).sum();
    let by_type: u64 = report.core_types.iter().map(|cores| cores.busy_ns).sum();
    assert_eq!(busy, by_type);
    assert!(report.cores.iter().all(|core| core.utilisation <= 1.0));
}

#[test]
fn a_reference_file_gives_what_its_own_tools_print() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../trace/tests/data/reference_sim_vector");
    let report = Report::of(&Trace::open(path).unwrap());
    assert_eq!(report.makespan_ns, Some(3_142_920));
    assert_eq!(report.functions[1].count, 2);
    assert_eq!(report.functions[1].run.sum_ns, 33_720 + 650_120);
    assert!(report.verdict.is_none());
    assert!(report.text().contains("verdict: none"));
}

#[test]
fn json_holds_the_same_numbers() {
    let report = Report::of(&Trace::new(small()));
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!(json["makespan_ns"], 20_000);
    assert_eq!(json["functions"][0]["run"]["p50_ns"], 6000);
    assert_eq!(json["core_types"][1]["core_type"], "aiv");
    assert_eq!(json["verdict"], serde_json::Value::Null);
}

#[test]
fn a_trace_without_times_has_no_makespan() {
    let mut parts = small();
    parts.tasks = vec![task(0, 1, [0; 4])];
    let report = Report::of(&Trace::new(parts));
    assert_eq!(report.makespan_ns, None);
    assert_eq!(report.functions[0].run.mean_ns, None);
    let text = report.text();
    assert!(text.contains("makespan unknown"), "{text}");
    let empty = Report::of(&Trace::new(TraceParts::default())).text();
    assert!(empty.contains("0 tasks"), "{empty}");
}
