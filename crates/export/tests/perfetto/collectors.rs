//! Phases, counters and losses of all kinds in the Perfetto file.

use super::decode::{Count, Decoded, Slice, decode};
use super::messages::{Packet, TraceFile};
use super::{export, synth};
use lanescope_capture::{CoreCounts, Counts, Dropped};
use lanescope_export::ExportError;
use lanescope_export::perfetto::{self, Options, Written};
use lanescope_trace::{
    Chip, FindingKind, Kind, OrchestratorPhase, PmuRow, SchedulerPhase, Session, Task, Trace,
    TraceParts, Verdict,
};
use prost::Message;
use std::collections::HashMap;

fn phase(phase: u32, start_ticks: u64, end_ticks: u64) -> SchedulerPhase {
    SchedulerPhase {
        start_ticks,
        end_ticks,
        phase,
        ..SchedulerPhase::default()
    }
}

#[test]
fn a_wait_for_the_host_lies_inside_its_phase() {
    let trace = Trace::new(TraceParts {
        session: Session::named("a2a3sim", 50_000_000),
        scheduler_phases: vec![vec![
            phase(SchedulerPhase::DISPATCH, 10, 20),
            phase(SchedulerPhase::BLOCKED, 25, 30),
            phase(SchedulerPhase::BLOCKED, 32, 33),
            phase(SchedulerPhase::COMPLETE, 20, 40),
            // Its phase was lost.
            phase(SchedulerPhase::BLOCKED, 50, 60),
            phase(SchedulerPhase::IDLE, 70, 90),
            phase(SchedulerPhase::DUMP, 90, 95),
            phase(SchedulerPhase::BLOCKED, 96, 97),
        ]],
        orchestrator_phases: vec![
            Vec::new(),
            vec![OrchestratorPhase {
                start_ticks: 11,
                end_ticks: 12,
                phase: 21,
                submit_index: 4,
                task_id: 9,
            }],
        ],
        ..TraceParts::default()
    });
    let (decoded, _) = export(&trace, &Options::default());
    let on = |process: &str| -> Vec<(&str, u64, u64)> {
        let is_on = |slice: &&Slice| decoded.tracks[&slice.track].process == process;
        let slices = decoded.slices.iter().filter(is_on);
        slices
            .map(|slice| (slice.name.as_str(), slice.start_ns / 20, slice.end_ns / 20))
            .collect()
    };
    // In the order in which they end.
    let expected = [
        ("dispatch", 10, 20),
        ("blocked", 25, 30),
        ("blocked", 32, 33),
        ("complete", 20, 40),
        ("blocked", 50, 60),
        ("idle", 70, 90),
        ("dump", 90, 95),
        ("blocked", 96, 97),
    ];
    assert_eq!(on("AICPU thread 0"), expected);
    assert_eq!(on("AICPU thread 1"), [("orch_insert", 11, 12)]);
    let tracks = decoded.tracks.values();
    assert_eq!(
        tracks.filter(|track| track.thread == "scheduler").count(),
        1
    );
}

/// A row for each task, in the order in which its AICPU thread committed them.
fn pmu_rows(trace: &Trace, keep: impl Fn(&Task) -> bool) -> Vec<Vec<PmuRow>> {
    let mut tasks: Vec<Task> = trace.tasks().filter(|task| keep(task)).collect();
    tasks.sort_by_key(|task| task.finish_ticks);
    let mut threads = vec![Vec::new(); trace.threads().len()];
    for task in tasks {
        let thread = trace.session().cores[usize::from(task.core)].thread;
        let thread = thread.expect("a synthetic run knows its threads");
        let mut counters = [0; 10];
        counters[0] = 1 + u32::try_from(task.task_id % 100).expect("below 100");
        counters[6] = 3;
        threads[thread as usize].push(PmuRow {
            task_id: task.task_id,
            core: task.core,
            core_type: task.core_type,
            thread,
            token: task.token,
            event: 2,
            total_cycles: 1000,
            counters,
            ticks: task.finish_ticks + 1,
            ..PmuRow::default()
        });
    }
    threads
}

/// The same run with counters; without its tasks where the swimlane was off.
fn with_counters(trace: &Trace, pmu: Vec<Vec<PmuRow>>, tasks: Vec<Task>) -> Trace {
    Trace::new(TraceParts {
        session: trace.session().clone(),
        tasks,
        pmu,
        ..TraceParts::default()
    })
}

#[test]
fn each_task_shows_what_it_counted_for_as_long_as_it_ran() {
    let source = synth(Chip::A2a3, 5000, 0);
    // One row in eleven was dropped, and one task in thirteen.
    let has_row = |task: &Task| !task.task_id.is_multiple_of(11);
    let has_task = |task: &Task| !task.task_id.is_multiple_of(13);
    let pmu = pmu_rows(&source, has_row);
    let trace = with_counters(&source, pmu, source.tasks().filter(has_task).collect());
    let (decoded, written) = export(&trace, &Options::default());
    let mut by_track: HashMap<(String, String), Vec<&Count>> = HashMap::new();
    for count in &decoded.counts {
        let (core, column, unit) = count.track.clone();
        let expected = match column.as_str() {
            "vec_busy_cycles" => "%",
            "icache_miss" => "events per 1000 cycles",
            other => panic!("{other} counted nothing"),
        };
        assert_eq!(unit, expected);
        by_track.entry((core, column)).or_default().push(count);
    }
    let mut checked = 0;
    let mut alone = 0;
    for task in source.tasks().filter(has_row) {
        let core = trace.session().core_name(usize::from(task.core));
        let counts = &by_track[&(core, "vec_busy_cycles".to_owned())];
        let value = (1 + task.task_id % 100) as f64 / 10.0;
        let is_value = |count: &&&Count| (count.value - value).abs() < 1e-9;
        let at = |ticks: u64| counts.iter().filter(move |count| count.at_ns == ticks * 20);
        if !has_task(&task) {
            let is_shown = at(task.finish_ticks + 1).any(|count| is_value(&count));
            alone += u64::from(is_shown);
            continue;
        }
        let near = at(task.start_ticks).collect::<Vec<_>>();
        assert!(
            near.iter().any(is_value),
            "{task:?}: {near:?}, {} undrawn",
            written.undrawn_counters
        );
        assert!(at(task.end_ticks).any(|count| count.value == 0.0));
        checked += 1;
    }
    let both = |task: &Task| has_row(task) && has_task(task);
    assert_eq!(checked, source.tasks().filter(both).count());
    let without_task = |task: &Task| has_row(task) && !has_task(task);
    let without_task = source.tasks().filter(without_task).count() as u64;
    assert_eq!(alone + written.undrawn_counters, without_task);
    assert!(alone > 0);
}

#[test]
fn counters_without_a_swimlane_stand_where_they_were_committed() {
    let source = synth(Chip::A5, 3000, 0);
    let trace = with_counters(&source, pmu_rows(&source, |_| true), Vec::new());
    let (decoded, written) = export(&trace, &Options::default());
    assert_eq!(written.undrawn_counters, 0);
    let busy = decoded.counts.iter();
    let busy = busy.filter(|count| count.track.1 == "pmu_idc_aic_vec_busy_o");
    let mut shown: Vec<(u64, String)> = busy
        .map(|count| (count.at_ns, format!("{:.1}", count.value)))
        .collect();
    let counted = |task: &Task| 1 + task.task_id % 100;
    let mut expected: Vec<(u64, String)> = source
        .tasks()
        .map(|task| (task, format!("{:.1}", counted(&task) as f64 / 10.0)))
        .map(|(task, value)| (task.finish_ticks + 1, value))
        .collect();
    shown.sort_unstable();
    expected.sort_unstable();
    assert_eq!(shown, expected);
}

#[test]
fn records_of_every_kind_that_are_missing_are_marked() {
    let mut verdict = Verdict::new(1);
    let missing = [
        (Kind::PMU, Some(1), 3),
        (Kind::TENSOR, Some(1), 4),
        (Kind::PHASE, None, 5),
    ];
    for (kind, core, no_buffer) in missing {
        verdict.cores.push(CoreCounts {
            kind,
            thread: 0,
            core,
            dispatched: 9,
            counts: Counts {
                total: 9,
                collected: 9 - no_buffer,
                dropped: Dropped {
                    no_buffer,
                    ..Dropped::default()
                },
                mismatched: 0,
            },
        });
    }
    verdict.find(FindingKind::Dropped, 12, "records dropped");
    let source = synth(Chip::A2a3, 100, 0);
    let trace = Trace::new(TraceParts {
        session: source.session().clone(),
        tasks: source.tasks().collect(),
        verdict: Some(verdict),
        ..TraceParts::default()
    });
    let (decoded, written) = export(&trace, &Options::default());
    let names: Vec<&str> = decoded
        .instants
        .iter()
        .map(|instant| instant.name.as_str())
        .collect();
    for expected in [
        "3 pmu records lost on this core",
        "4 tensor records lost on this core",
    ] {
        assert!(names.contains(&expected), "{expected}: {names:?}");
    }
    assert_eq!((written.lost_others, written.lost_records), (7, 0));
    assert_eq!(written.lost_phases, 5);
    assert!(
        names.contains(&"5 phase records lost after this"),
        "{names:?}"
    );
}

#[test]
fn rows_that_say_anything_are_drawn_or_counted_without_a_panic() {
    let mut random = 7_u64;
    let mut next = || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        random >> 33
    };
    let (mut written, mut refused) = (0, 0);
    for seed in 0..300_u64 {
        // Small numbers collide and overlap, large ones overflow.
        let range = [8, 60, 5000, u64::MAX][(seed % 4) as usize];
        let mut value = || match next() % 16 {
            0 if range == u64::MAX => u64::MAX,
            0 | 1 => 0,
            _ => next().wrapping_mul(next()) % range,
        };
        let session = synth(Chip::A2a3, 1, 0).session().clone();
        let task = |value: &mut dyn FnMut() -> u64| Task {
            task_id: value(),
            core: u16::try_from(value() % 4).expect("below 4"),
            token: u32::try_from(value() % 64).expect("below 64"),
            dispatch_ticks: value(),
            start_ticks: value(),
            end_ticks: value(),
            finish_ticks: value(),
            ..Task::default()
        };
        let row = |value: &mut dyn FnMut() -> u64| PmuRow {
            core: u16::try_from(value() % 4).expect("below 4"),
            token: u32::try_from(value() % 64).expect("below 64"),
            event: 2 + u32::from(value().is_multiple_of(8)),
            total_cycles: value(),
            counters: [u32::MAX; 10],
            ticks: value(),
            ..PmuRow::default()
        };
        let step = |value: &mut dyn FnMut() -> u64| SchedulerPhase {
            phase: u32::try_from(value() % 8).expect("below 8"),
            loop_iter: value(),
            tasks_processed: value(),
            rounds: value(),
            pops: Some((value(), value())),
            ..phase(0, value(), value())
        };
        let trace = Trace::new(TraceParts {
            session,
            tasks: (0..40).map(|_| task(&mut value)).collect(),
            pmu: vec![(0..40).map(|_| row(&mut value)).collect()],
            scheduler_phases: vec![(0..40).map(|_| step(&mut value)).collect()],
            ..TraceParts::default()
        });
        let mut bytes = Vec::new();
        match perfetto::write(&trace, &Options::default(), &mut bytes) {
            Ok(_) => written += 1,
            Err(ExportError::TimeOutOfRange { .. }) => refused += 1,
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
    assert!(written > 0 && refused > 0, "{written} {refused}");
}

/// What is left of a file that lost everything before the place where all is told again.
fn rest_of(trace: &Trace) -> (Decoded, Written) {
    let mut bytes = Vec::new();
    let written = perfetto::write(trace, &Options::default(), &mut bytes).unwrap();
    let mut file = TraceFile::decode(bytes.as_slice()).unwrap();
    let is_run = |packet: &Packet| {
        let descriptor = packet.track_descriptor.as_ref();
        descriptor.is_some_and(|descriptor| descriptor.uuid == Some(1))
    };
    let told = (0..file.packets.len()).filter(|&place| is_run(&file.packets[place]));
    let told: Vec<usize> = told.collect();
    assert_eq!(told.len(), 2, "in {} bytes", bytes.len());
    assert_eq!(told[0], 0);
    file.packets.drain(..told[1]);
    (decode(&file.encode_to_vec()), written)
}

#[test]
fn a_file_of_phases_is_told_again_on_the_way() {
    let step = |round: u64| SchedulerPhase {
        loop_iter: round,
        tasks_processed: round % 7,
        ..phase(
            u32::try_from(round % 2).unwrap(),
            10 + 5 * round,
            14 + 5 * round,
        )
    };
    let phases: Vec<_> = (0..300_000).map(step).collect();
    let trace = Trace::new(TraceParts {
        session: Session::named("a2a3sim", 50_000_000),
        scheduler_phases: vec![phases.clone(), phases],
        ..TraceParts::default()
    });
    let (rest, written) = rest_of(&trace);
    assert!(written.bytes > 17 << 20, "{} bytes", written.bytes);
    // The decoder panics at a slice whose track, name or clock was not told.
    let last = rest.slices.last().unwrap();
    assert_eq!(
        (last.start_ns, last.name.as_str()),
        ((10 + 5 * 299_999) * 20, "dispatch")
    );
    let expected = 600_000 - 600_000 * (17 << 20) / written.bytes;
    assert!(
        rest.slices.len() as u64 > expected,
        "{} slices",
        rest.slices.len()
    );
}

#[test]
fn a_file_of_counters_without_tasks_is_told_again_on_the_way() {
    let source = synth(Chip::A2a3, 1, 0);
    let row = |number: u64| PmuRow {
        task_id: number,
        event: 2,
        total_cycles: 1000,
        counters: [1 + u32::try_from(number % 2).unwrap(); 10],
        ticks: 10 + number,
        ..PmuRow::default()
    };
    let rows = (0..100_000).map(row).collect();
    let trace = with_counters(&source, vec![rows], Vec::new());
    let (rest, written) = rest_of(&trace);
    assert_eq!(written.undrawn_counters, 0);
    assert_eq!(rest.counts.last().unwrap().at_ns, (10 + 99_999) * 20);
}

#[test]
fn stays_and_phases_that_overlap_too_often_are_counted() {
    let tasks = (0..40).map(|number| Task {
        task_id: number,
        dispatch_ticks: 100 + number,
        finish_ticks: 1000,
        start_ticks: 10_000 + number,
        end_ticks: 10_001 + number,
        ..Task::default()
    });
    let phases = (0..40).map(|number| phase(0, 100 + number, 1000));
    let undrawable = [phase(0, 0, 50), phase(0, 60, 50)];
    let waits = [
        phase(SchedulerPhase::BLOCKED, 2010, 2030),
        // Overlaps the one before it: beside the phase, not in it.
        phase(SchedulerPhase::BLOCKED, 2020, 2040),
        phase(SchedulerPhase::COMPLETE, 2000, 2050),
    ];
    let trace = Trace::new(TraceParts {
        session: Session::named("a2a3sim", 50_000_000),
        tasks: tasks.collect(),
        scheduler_phases: vec![phases.chain(undrawable).chain(waits).collect()],
        ..TraceParts::default()
    });
    let (decoded, written) = export(&trace, &Options::default());
    assert_eq!((written.undrawn_stays, written.undrawn_phases), (8, 10));
    let run = decoded.run();
    assert_eq!(run.numbers["undrawn_stays"], 8);
    assert_eq!(run.numbers["undrawn_phases"], 10);
    let is_wait = |slice: &&Slice| slice.name == "blocked";
    assert_eq!(decoded.slices.iter().filter(is_wait).count(), 2);
}
