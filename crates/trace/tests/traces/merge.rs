//! Runs of several devices on one timeline, read back from the capture that a merge writes.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use lanescope_trace::merge::{Merge, MergeError, Offset, Source};
use lanescope_trace::{
    Chip, Clock, Core, CoreType, EdgeTable, Functions, PmuRow, SchedulerPhase, Session, Task,
    Trace, TraceParts, Verdict,
};
use std::sync::atomic::{AtomicU32, Ordering};

/// Two tasks on one core, at 50 MHz, its clock known by this pair.
fn source(name: &str, host: &str, clock: Option<(u64, u64, u64)>, first: u64) -> Source {
    let mut session = Session::named("a2a3sim", 50_000_000);
    session.host = host.to_owned();
    session.boot = format!("boot of {host}");
    session.device = Some(3);
    session.cores = vec![Core {
        core_type: CoreType::Aic,
        thread: Some(0),
        first_token: None,
    }];
    session.threads = 1;
    let task = |task_id, start| Task {
        task_id,
        func_id: 7,
        dispatch_ticks: first + start,
        start_ticks: first + start + 5,
        end_ticks: first + start + 55,
        ..Task::default()
    };
    let mut verdict = Verdict::new(1);
    verdict.totals.total = 4;
    verdict.totals.collected = 4;
    let clocks = clock.map(|(host_ns, device_ticks, uncertainty_ns)| Clock {
        host_ns,
        device_ticks,
        uncertainty_ns,
        reserved: 0,
    });
    let trace = Trace::new(TraceParts {
        session,
        functions: Functions::from_iter([(7, format!("kernel of {name}"))]),
        tasks: vec![task(0, 0), task(1, 100)],
        edges: EdgeTable::dense(2, [(0, 1)].into_iter()).unwrap().0,
        scheduler_phases: vec![vec![SchedulerPhase {
            start_ticks: first,
            end_ticks: first + 10,
            phase: SchedulerPhase::DISPATCH,
            loop_iter: 4,
            tasks_processed: 1,
            rounds: 1,
            pops: Some((1, 2)),
        }]],
        pmu: vec![vec![PmuRow {
            task_id: 1,
            func_id: 7,
            event: 2,
            total_cycles: 99,
            ticks: first + 60,
            ..PmuRow::default()
        }]],
        verdict: Some(verdict),
        clocks: clocks.into_iter().collect(),
        ..TraceParts::default()
    });
    Source {
        name: name.to_owned(),
        trace,
        offset: None,
    }
}

fn merged(sources: &[Source]) -> Trace {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("lanescope-merge-{}-{number}.lanescope", std::process::id());
    let path = std::env::temp_dir().join(name);
    let file = std::fs::File::create(&path).unwrap();
    Merge::of(sources).unwrap().write(file).unwrap();
    let trace = Trace::open(&path);
    std::fs::remove_file(&path).unwrap();
    trace.unwrap()
}

#[test]
fn devices_of_one_host_meet_on_its_clock() {
    // The first counter stood at 1000 (20 µs) when the host's clock was at 1 ms; the second at 9000.
    let sources = [
        source("node1/0", "node1", Some((1_000_000, 1000, 30)), 1000),
        source("node1/1", "node1", Some((1_000_500, 9000, 20)), 9000),
    ];
    let merge = Merge::of(&sources).unwrap();
    let [one, two] = merge.devices() else {
        panic!("two devices: {:?}", merge.devices());
    };
    assert_eq!((one.offset_ns, one.uncertainty_ns), (980_000, 0));
    assert_eq!((two.offset_ns, two.uncertainty_ns), (820_500, 50));

    let trace = merged(&sources);
    let session = trace.session();
    assert_eq!(session.ticks_per_second, 1_000_000_000);
    assert_eq!(session.core_name(0), "node1/0 AIC_0");
    assert_eq!(session.core_name(1), "node1/1 AIC_0");
    assert_eq!(session.thread_name(1), "node1/1 0");
    let tasks: Vec<Task> = trace.tasks().collect();
    let times = tasks
        .iter()
        .map(|task| (task.core, task.dispatch_ticks, task.finish_ticks));
    let times: Vec<_> = times.collect();
    assert_eq!(
        times,
        [
            (0, 1_000_000, 0),
            (0, 1_002_000, 0),
            (1, 1_000_500, 0),
            (1, 1_002_500, 0)
        ]
    );
    // 50 ticks of 20 ns.
    assert!(tasks.iter().all(|task| task.run_ticks() == Some(1000)));
    // Tasks and functions of two devices stay apart, edges within one.
    let second = 1 << 48;
    let ids: Vec<u64> = tasks.iter().map(|task| task.task_id).collect();
    assert_eq!(ids, [0, 1, second, second + 1]);
    let edges: Vec<_> = trace.edges().iter().collect();
    assert_eq!(edges, [(0, 1), (second, second + 1)]);
    assert_eq!(
        trace.functions().label(tasks[0].func_id),
        "kernel of node1/0"
    );
    assert_eq!(
        trace.functions().label(tasks[2].func_id),
        "kernel of node1/1"
    );
    let phases: Vec<_> = trace.scheduler_phases(1).collect();
    assert_eq!(
        (phases[0].start_ticks, phases[0].end_ticks),
        (1_000_500, 1_000_700)
    );
    assert_eq!(
        (phases[0].loop_iter, phases[0].rounds, phases[0].pops),
        (4, 1, Some((1, 2)))
    );
    let rows: Vec<_> = trace.pmu_rows().collect();
    assert_eq!(
        (rows[1].core, rows[1].task_id, rows[1].total_cycles),
        (1, second + 1, 99)
    );
    let verdict = trace.verdict().unwrap();
    assert_eq!(
        (verdict.outcome.name(), verdict.totals.collected),
        ("exact", 8)
    );
    assert!(trace.notes().is_empty(), "{:?}", trace.notes());
}

#[test]
fn a_merged_capture_can_be_merged_again() {
    let two = [
        source("a", "node1", Some((1_000_000, 1000, 30)), 1000),
        source("b", "node1", Some((1_000_500, 9000, 20)), 9000),
    ];
    let sources = [
        source("c", "node1", Some((2_000_000, 500, 5)), 500),
        Source {
            name: "both".to_owned(),
            trace: merged(&two),
            offset: None,
        },
    ];
    let trace = merged(&sources);
    let names: Vec<_> = trace
        .session()
        .devices
        .iter()
        .map(|device| &device.name[..])
        .collect();
    assert_eq!(names, ["c", "both:a", "both:b"]);
    let last = trace.tasks().last().unwrap();
    assert_eq!((last.core, last.dispatch_ticks), (2, 1_002_500));
}

#[test]
fn a_clock_that_cannot_be_placed_is_refused_unless_an_offset_is_given() {
    let pair = Some((1_000_000, 1000, 30));
    for (first, second, reason) in [
        (
            source("a", "node1", pair, 1000),
            source("b", "node2", pair, 1000),
            "not of one boot of one host",
        ),
        (
            source("a", "node1", pair, 1000),
            source("b", "node1", None, 1000),
            "it has no clock pair",
        ),
        (
            source("a", "node1", None, 1000),
            source("b", "node1", pair, 1000),
            "the first has no clock pair",
        ),
    ] {
        let pairs = [&first, &second].map(|source| !source.trace.clocks().is_empty());
        let mut sources = [first, second];
        let refused = Merge::of(&sources).map(drop);
        let error = refused.unwrap_err();
        assert!(matches!(error, MergeError::NoClock { .. }));
        assert!(error.to_string().contains(reason), "{error}");
        sources[1].offset = Some(Offset {
            ns: 250,
            uncertainty_ns: 7,
        });
        let merge = Merge::of(&sources).unwrap();
        let second = &merge.devices()[1];
        let expected = match pairs {
            // Both know their host's clock: the offset is between the hosts.
            [true, true] => (980_250, 67),
            [true, false] => (250, 37),
            [false, _] => (980_250, 37),
        };
        assert_eq!((second.offset_ns, second.uncertainty_ns), expected);
    }
}

/// Its tasks as they are, and functions of these names.
fn with_functions(mut source: Source, names: &[(u32, &str)], func_ids: [u32; 2]) -> Source {
    let trace = &source.trace;
    let tasks = trace.tasks().zip(func_ids);
    source.trace = Trace::new(TraceParts {
        session: trace.session().clone(),
        functions: Functions::from_iter(names.iter().copied()),
        tasks: tasks
            .map(|(task, func_id)| Task { func_id, ..task })
            .collect(),
        clocks: trace.clocks().to_vec(),
        ..TraceParts::default()
    });
    source
}

#[test]
fn a_function_without_a_name_takes_no_other_runs_name() {
    let pair = Some((1_000_000, 1000, 30));
    let named = |first: &str| {
        let of = |name: &str| source(name, "node1", pair, 1000);
        let one = with_functions(of("a"), &[(0, "QK"), (1, "SV")], [0, 1]);
        let two = with_functions(of("b"), &[(4, "SV")], [0, 4]);
        let sources = match first {
            "a" => [one, two],
            _ => [two, one],
        };
        let trace = merged(&sources);
        let functions: Vec<u32> = trace.tasks().map(|task| task.func_id).collect();
        let labels = functions
            .iter()
            .map(|&func_id| trace.functions().label(func_id));
        let labels: Vec<String> = labels.map(std::borrow::Cow::into_owned).collect();
        (labels, functions)
    };
    let (labels, functions) = named("a");
    assert_eq!(labels, ["QK", "SV", "func_0", "SV"]);
    // One name, one number.
    assert_eq!(functions[1], functions[3]);
    let (labels, functions) = named("b");
    assert_eq!(labels, ["func_0", "SV", "QK", "SV"]);
    assert_eq!((functions[0], functions[1], functions[3]), (0, 4, 4));
    // Two functions of one name stay two.
    let of = |name: &str| source(name, "node1", pair, 1000);
    let two = |name| with_functions(of(name), &[(0, "mm"), (1, "mm")], [0, 1]);
    let trace = merged(&[two("a"), two("b")]);
    let functions: Vec<u32> = trace.tasks().map(|task| task.func_id).collect();
    assert_eq!(functions, [0, 1, 0, 1]);
}

#[test]
fn a_task_id_that_would_be_another_devices_is_refused() {
    let pair = Some((1_000_000, 1000, 30));
    let large = |name: &str| {
        let mut source = source(name, "node1", pair, 1000);
        let task = Task {
            task_id: 1 << 48,
            ..source.trace.tasks().next().unwrap()
        };
        source.trace = Trace::new(TraceParts {
            session: source.trace.session().clone(),
            tasks: vec![task],
            clocks: source.trace.clocks().to_vec(),
            ..TraceParts::default()
        });
        source
    };
    for sources in [
        [large("a"), source("b", "node1", pair, 1000)],
        [source("a", "node1", pair, 1000), large("b")],
    ] {
        let merge = Merge::of(&sources).unwrap();
        let error = merge.write(Vec::new()).unwrap_err();
        assert!(matches!(error, MergeError::TooLarge { .. }), "{error}");
    }
    // Those of a merged run are of its own devices, first or not.
    let of = |name| source(name, "node1", pair, 1000);
    let both = Source {
        name: "both".to_owned(),
        trace: merged(&[of("a"), of("b")]),
        offset: None,
    };
    let trace = merged(&[both, of("c")]);
    let ids: Vec<u64> = trace.tasks().map(|task| task.task_id >> 48).collect();
    assert_eq!(ids, [0, 0, 1, 1, 2, 2]);
}

#[test]
fn no_uncertainty_gets_lost() {
    let of =
        |name: &str, host: &str, reach| source(name, host, Some((1_000_000, 1000, reach)), 1000);
    let reaches = |sources: &[Source]| -> Vec<u64> {
        let merge = Merge::of(sources).unwrap();
        let devices = merge.devices().iter();
        devices.map(|device| device.uncertainty_ns).collect()
    };
    // What is given for the first run is between it and all others.
    let mut two = [of("a", "node1", 30), of("b", "node1", 20)];
    assert_eq!(reaches(&two), [0, 50]);
    two[0].offset = Some(Offset {
        ns: 0,
        uncertainty_ns: 500,
    });
    assert_eq!(reaches(&two), [0, 550]);
    // And stays so when the merged run is merged again.
    let again = [
        Source {
            name: "both".to_owned(),
            trace: merged(&two),
            offset: None,
        },
        of("c", "node1", 7),
    ];
    assert_eq!(reaches(&again), [0, 550, 537]);
}

#[test]
fn the_second_device_of_a_host_needs_no_offset_of_its_own() {
    let of = |name: &str, host: &str, host_ns, reach| {
        source(name, host, Some((host_ns, 1000, reach)), 1000)
    };
    let mut sources = [
        of("node1/0", "node1", 1_000_000, 30),
        of("node2/0", "node2", 5_000_000, 20),
        of("node2/1", "node2", 5_000_300, 10),
    ];
    assert!(Merge::of(&sources).is_err());
    for placed in [1, 2] {
        sources[1].offset = None;
        sources[2].offset = None;
        sources[placed].offset = Some(Offset {
            ns: -4_000_000,
            uncertainty_ns: 100,
        });
        let merge = Merge::of(&sources).unwrap();
        let clocks: Vec<_> = merge
            .devices()
            .iter()
            .map(|device| (device.offset_ns, device.uncertainty_ns))
            .collect();
        assert_eq!(clocks, [(980_000, 0), (980_000, 150), (980_300, 140)]);
    }
}

#[test]
fn counters_of_two_chips_are_refused() {
    let pair = Some((1_000_000, 1000, 30));
    let of = |name: &str, chip: Chip, counts: bool| {
        let Source { trace, .. } = source(name, "node1", pair, 1000);
        let mut session = trace.session().clone();
        session.chip = Some(chip);
        let rows = trace.pmu_rows().filter(|_| counts).collect();
        let trace = Trace::new(TraceParts {
            session,
            tasks: trace.tasks().collect(),
            pmu: vec![rows],
            clocks: trace.clocks().to_vec(),
            ..TraceParts::default()
        });
        Source {
            name: name.to_owned(),
            trace,
            offset: None,
        }
    };
    let both = [of("a", Chip::A2a3, true), of("b", Chip::A5, true)];
    let error = Merge::of(&both).map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "b has hardware counters of a5, the merged capture those of a2a3; merge runs of one chip, or \
         one recorded without counters"
    );
    // The columns are the first's, so the others may have none.
    for second in [of("b", Chip::A5, false), of("b", Chip::A2a3, true)] {
        let sources = [of("a", Chip::A2a3, true), second];
        assert!(Merge::of(&sources).is_ok());
    }
}

#[test]
fn times_before_the_first_clock_began_stay_known() {
    let mut sources = [
        source("a", "node1", None, 1000),
        source("b", "node2", None, 1000),
    ];
    sources[1].offset = Some(Offset {
        ns: -1_000_000,
        uncertainty_ns: 0,
    });
    let trace = merged(&sources);
    let tasks: Vec<Task> = trace.tasks().collect();
    assert_eq!(tasks[2].dispatch_ticks, 1);
    assert_eq!(tasks[0].dispatch_ticks, 1_000_001);
}

#[test]
fn a_clock_that_leaves_64_bits_is_refused() {
    let mut sources = [
        source("a", "node1", None, 1000),
        source("b", "node2", None, 1000),
    ];
    for ns in [i64::MAX, i64::MAX - 20_000, i64::MIN] {
        sources[1].offset = Some(Offset {
            ns,
            uncertainty_ns: 0,
        });
        let error = Merge::of(&sources).map(drop).unwrap_err();
        assert!(matches!(error, MergeError::TooLarge { .. }), "{error}");
    }
}

#[test]
fn a_level_that_no_run_knows_stays_unknown() {
    let both = [
        source("a", "node1", None, 1000),
        source("b", "node1", None, 1000),
    ];
    let mut known = both;
    known[1].offset = Some(Offset::default());
    assert_eq!(merged(&known).session().level, None);
}
