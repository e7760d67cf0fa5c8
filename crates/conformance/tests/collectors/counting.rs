//! Hardware counters, end to end: each task has its own, and nobody else's.

use crate::{PLATFORMS, Stage, all, attention, case, exactness};
use lanescope::{Collectors, Outcome, PmuOptions, Policy};
use lanescope_conformance::{chain, exclusive};
use lanescope_examples::{BgemmOptions, VectorOptions, WorkloadOptions};
use lanescope_trace::PmuRow;

/// Asserts that a row of event type 4 tells of the tiles that its task read and wrote.
fn assert_moved(row: &PmuRow, platform: &str, tile: u64) {
    // mul and add read two tiles, mul_add three; a request is 64 bytes, the last one short.
    let inputs = if row.func_id == 2 { 3 } else { 2 };
    let reads = (4 * tile * inputs).div_ceil(64);
    let writes = (4 * tile).div_ceil(64);
    let (found, expected) = match platform {
        "a2a3sim" => (
            &row.counters[4..8],
            vec![reads, writes, reads.div_ceil(4), writes.div_ceil(2)],
        ),
        _ => (
            &row.counters[2..5],
            vec![reads.div_ceil(4), writes.div_ceil(2), writes],
        ),
    };
    let found: Vec<u64> = found.iter().map(|count| u64::from(*count)).collect();
    assert_eq!(found, expected, "{platform}: {row:?}");
}

#[test]
fn counters_are_those_of_the_kernel_that_ran() {
    let _device = exclusive();
    let tile = 1000;
    for platform in PLATFORMS {
        for (seed, threads) in [(0, 0), (7, 0), (0, 1), (9, 1)] {
            let workload = WorkloadOptions::Vector(VectorOptions {
                tasks: 600,
                tile,
                chains: 30,
            });
            let memory = Collectors {
                pmu: Some(PmuOptions {
                    event: 4,
                    ..PmuOptions::default()
                }),
                ..Collectors::swimlane(2)
            };
            let mut case = case(platform, workload, memory)
                .with_setting("seed", seed)
                .with_setting("threads", threads);
            case.run.clusters = Some(4);
            case.run.threads = Some(2);
            let finished = Stage::new(case).run();
            assert_eq!(
                exactness(&finished),
                Vec::<String>::new(),
                "{platform} seed {seed}"
            );
            let rows = finished
                .trace
                .pmu_rows()
                .inspect(|row| assert_moved(row, platform, tile));
            assert_eq!(rows.count(), 600, "{platform} seed {seed}");
        }
    }
}

#[test]
fn every_event_type_sees_something_of_a_product() {
    let _device = exclusive();
    for platform in PLATFORMS {
        let chip = lanescope::platform(platform).expect("a platform").chip();
        for event in chip.pmu_events {
            let workload = WorkloadOptions::Bgemm(BgemmOptions {
                batch: 1,
                ..BgemmOptions::default()
            });
            let mut collectors = Collectors::swimlane(2);
            collectors.pmu = Some(PmuOptions {
                event: event.number,
                ..PmuOptions::default()
            });
            let mut stage = Stage::new(case(platform, workload, collectors));
            let finished = stage.assert_exact();
            let mut sums = vec![0u64; event.counters.len()];
            for row in finished.trace.pmu_rows() {
                for (sum, count) in sums.iter_mut().zip(row.counters) {
                    *sum += u64::from(count);
                }
            }
            // Kernels state no element type, and the fixpipe does not write to the unified buffer.
            let silent = ["int", "fp16_", "fix_wr_ub"];
            for (counter, column) in event.columns() {
                let is_silent = silent.iter().any(|part| column.contains(part))
                    && !column.starts_with("cube_fp16");
                assert_eq!(
                    sums[counter] == 0,
                    is_silent,
                    "{platform} {}: {column}",
                    event.name
                );
            }
        }
    }
}

#[test]
fn a_core_has_one_task_at_a_time_where_the_aicpu_reads_its_counters() {
    let _device = exclusive();
    for (platform, depth) in [("a2a3sim", 1), ("a5sim", 2)] {
        let mut stage = Stage::new(case(platform, attention(), all(2)));
        let finished = stage.assert_exact();
        assert_eq!(
            finished.trace.session().issue_depth,
            Some(depth),
            "{platform}"
        );
        stage.case.run.issue_depth = Some(2);
        let run = stage.case.run_in(&mut stage.session, &stage.built);
        match (platform, run) {
            ("a2a3sim", Err(error)) => {
                let told = chain(&*error);
                assert!(told.contains("issue-depth"), "{told}");
            }
            ("a5sim", Ok(_)) => {}
            (_, run) => panic!("{platform}: {:?}", run.map(|finished| finished.outcome)),
        }
    }
}

#[test]
fn nothing_touches_the_counters_while_they_are_off() {
    let _device = exclusive();
    for platform in PLATFORMS {
        let mut collectors = all(4);
        collectors.pmu = None;
        let without = case(platform, attention(), collectors).with_setting("no-pmu", 1);
        Stage::new(without).assert_exact();
        let with = case(platform, attention(), all(4)).with_setting("no-pmu", 1);
        let error = with.run().expect_err("there are no such registers");
        let told = chain(&*error);
        assert!(
            told.contains("a register at 0x") && told.contains("where there is none"),
            "{told}"
        );
    }
}

#[test]
fn the_pages_of_counters_are_mapped_for_a_run_that_counts_and_for_no_other() {
    let _device = exclusive();
    // The first mapping is that of the windows.
    let refused = |collectors| {
        case("a2a3sim", attention(), collectors).with_setting("fail", "halMemCtl:2:62")
    };
    let mut stage = Stage::new(refused(Collectors::swimlane(2)));
    stage.assert_exact();
    stage.case.run.collectors = all(2);
    let run = stage.case.run_in(&mut stage.session, &stage.built);
    let error = run.expect_err("the mapping is refused");
    let told = chain(&*error);
    assert!(
        told.contains("reading the table of hardware counters") && told.contains("halMemCtl"),
        "{told}"
    );
    // Nothing was launched; the driver is asked again, and a driver that is busy is too.
    let finished = stage.assert_exact();
    assert!(finished.trace.pmu_rows().count() > 0);
    let busy = case("a2a3sim", attention(), all(2)).with_setting("fail", "halMemCtl:2:13");
    Stage::new(busy).assert_exact();
}

#[test]
fn what_a_dropped_record_counted_is_not_in_the_next() {
    let _device = exclusive();
    let tile = 1000;
    for platform in PLATFORMS {
        let workload = WorkloadOptions::Vector(VectorOptions {
            tasks: 900,
            tile,
            chains: 30,
        });
        let mut memory = Collectors {
            pmu: Some(PmuOptions {
                event: 4,
                ..PmuOptions::default()
            }),
            ..Collectors::default()
        };
        let lanes = &mut memory.pmu.as_mut().expect("it is on").lanes;
        lanes.policy = Policy::DropNewest;
        lanes.records_per_buffer = Some(4);
        lanes.buffers = Some(2);
        let mut case = case(platform, workload, memory).with_setting("late-host", 40);
        case.run.clusters = Some(4);
        case.run.threads = Some(2);
        let finished = Stage::new(case).run();
        let verdict = &finished.outcome.verdict;
        assert_eq!(
            verdict.outcome,
            Outcome::Lossy,
            "{platform}: {:?}",
            verdict.findings
        );
        let rows = finished
            .trace
            .pmu_rows()
            .inspect(|row| assert_moved(row, platform, tile));
        let rows = rows.count() as u64;
        let counts = verdict.kinds[0].counts;
        assert_eq!((counts.total, counts.collected), (900, rows), "{platform}");
        assert_eq!(counts.dropped.no_buffer, 900 - rows, "{platform}");
        assert!((1..900).contains(&rows), "{platform}: {rows}");
    }
}
