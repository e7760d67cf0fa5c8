//! All collectors on real threads and real atomics.

use crate::{PLATFORMS, Stage, all, case, dumped, dumping};
use lanescope::{Collectors, DumpOptions, PmuOptions, Policy};
use lanescope_conformance::exclusive;
use lanescope_examples::{BgemmOptions, PagedAttentionOptions, VectorOptions, WorkloadOptions};
use lanescope_stress::{Effort, Numbers, Tried};

/// What a seed records: everything, or some of it.
fn collectors(choices: &mut Numbers) -> Collectors {
    let level = choices.below(5);
    if choices.below(2) == 0 {
        return all(4);
    }
    Collectors {
        pmu: (choices.below(2) == 0).then(PmuOptions::default),
        dump: (choices.below(2) == 0 || level == 0).then(DumpOptions::default),
        ..Collectors::swimlane(level)
    }
}

fn workload(choices: &mut Numbers) -> WorkloadOptions {
    match choices.below(3) {
        0 => WorkloadOptions::Bgemm(BgemmOptions {
            batch: 1 + choices.below(2),
            ..BgemmOptions::default()
        }),
        1 => WorkloadOptions::PagedAttention(PagedAttentionOptions {
            batch: 1 + choices.below(3),
            ..PagedAttentionOptions::default()
        }),
        _ => WorkloadOptions::Vector(VectorOptions {
            tasks: 100 + choices.below(500),
            tile: 1 + choices.below(300),
            chains: 1 + choices.below(100),
        }),
    }
}

#[test]
fn every_collector_is_exact_on_real_threads() {
    let _device = exclusive();
    let effort = Effort::new("every_collector_is_exact_on_real_threads", 12);
    while let Some(seed) = effort.next_seed() {
        let mut choices = Numbers::new(seed);
        let platform = PLATFORMS[usize::from(seed % 2 == 1)];
        let mut collectors = collectors(&mut choices);
        let sizes = choices.one_of(&[None, Some((4, 16))]);
        let lanes = [
            Some(&mut collectors.swimlane.lanes),
            collectors.pmu.as_mut().map(|pmu| &mut pmu.lanes),
            collectors.dump.as_mut().map(|dump| &mut dump.lanes),
        ];
        for lanes in lanes.into_iter().flatten() {
            lanes.buffers = sizes.map(|(buffers, _)| buffers);
            lanes.records_per_buffer = sizes.map(|(_, records)| records);
        }
        if let Some(dump) = &mut collectors.dump {
            dump.arena_bytes = choices.one_of(&[64 << 10, 16 << 20]);
            dump.piece_bytes = choices.one_of(&[64, 4096, 16 << 10]);
        }
        let mut case = case(platform, workload(&mut choices), collectors)
            .with_setting("threads", 1)
            .with_setting("seed", choices.below(3) * (seed + 1));
        let clusters = choices.one_of(&[2, 4, 9]);
        case.run.clusters = Some(clusters);
        case.run.threads = Some(1 + choices.below(clusters.min(4)));
        let mut stage = Stage::new(case);
        for run in 0..2 {
            let finished = stage.run();
            let faults = stage.faults(&finished);
            let case = &stage.case;
            assert!(
                faults.is_empty(),
                "seed {seed}, run {run}: {case:?}: {}",
                faults.join("\n")
            );
            effort.add(Tried::Runs, 1);
        }
    }
}

#[test]
fn a_small_arena_never_lies_on_real_threads() {
    let _device = exclusive();
    let effort = Effort::new("a_small_arena_never_lies_on_real_threads", 12);
    while let Some(seed) = effort.next_seed() {
        let mut choices = Numbers::new(seed);
        let mut options = DumpOptions {
            arena_bytes: choices.one_of(&[4096, 8192, 12_288 + 64]),
            piece_bytes: choices.one_of(&[64, 1024]),
            ..DumpOptions::default()
        };
        options.lanes.policy = [Policy::Block, Policy::DropNewest, Policy::Truncate]
            [usize::try_from(seed % 3).expect("small")];
        options.lanes.records_per_buffer = Some(choices.one_of(&[2, 8]));
        options.lanes.buffers = Some(choices.one_of(&[2, 4]));
        let sizes: Vec<u32> = (0..200).map(|_| 1 + choices.below(3900u32)).collect();
        let platform = PLATFORMS[usize::from(seed / 3 % 2 == 1)];
        let mut case = dumping::quiet(platform)
            .with_setting("threads", 1)
            .with_setting("seed", seed);
        case.run.clusters = Some(4);
        case.run.threads = Some(2);
        let found = dumping::dump(&case, options, |build| {
            crate::tensors::TensorGraph::of_bytes(build, seed, &sizes)
        });
        let dumped::Found {
            whole,
            truncated,
            dropped,
        } = found;
        assert_eq!(whole + truncated + dropped, 400, "seed {seed}: {found:?}");
        effort.add(Tried::Runs, 1);
    }
}
