//! Nonsense all over what the device writes, at any look of the host, on both mappings.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::{Bed, Moment, Puppet};
use lanescope_capture::Outcome;
use lanescope_profiling::LaneSettings;
use lanescope_stress::{Effort, Numbers, Tried};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const SETTINGS: LaneSettings = LaneSettings {
    buffers: 4,
    records_per_buffer: 8,
    policy: lanescope_abi::capture::Policy::Block,
    block_limit: std::time::Duration::from_secs(20),
    arena_bytes: 0,
};

/// Every byte of the region that the device writes and the host reads.
fn written(bed: &Bed) -> Vec<Range<u64>> {
    let layout = bed.profiler.layout();
    let header = layout.header();
    let section = |section: lanescope_abi::Section| section.offset_bytes..section.end().unwrap();
    let mut ranges = vec![section(header.lane_devices), section(header.counters)];
    for lane in layout.lanes() {
        let (ready, buffers) = (lane.ready_offset_bytes, lane.buffers_offset_bytes);
        let capacity = u64::from(lane.capacity);
        let buffer_bytes = u64::from(lane.records_per_buffer) * u64::from(lane.record_bytes);
        ranges.push(ready..ready + capacity * 16);
        ranges.push(buffers..buffers + capacity * buffer_bytes);
    }
    ranges
}

/// Words at random places of the region, at random looks of the host.
#[test]
fn noise_anywhere_at_any_time_is_never_believed() {
    let effort = Effort::new("noise_anywhere_at_any_time_is_never_believed", 400);
    while let Some(seed) = effort.next_seed() {
        let mut numbers = Numbers::new(seed);
        let is_coherent = numbers.below(2) == 0;
        let (threads, cores) = [(1, 1), (2, 4), (3, 5)][numbers.below(3)];
        let mut bed = Bed::new(is_coherent, threads, cores, SETTINGS);
        let ranges = written(&bed);
        // Mostly few words, so that much of what follows is believable.
        let words = if numbers.below(3) == 0 { 200 } else { 3 };
        let every = 1 + numbers.below(12);
        let bytes = Arc::new(AtomicU64::new(0));
        for _ in 0..3 {
            let mut numbers = Numbers::new(numbers.draw());
            let (ranges, bytes) = (ranges.clone(), Arc::clone(&bytes));
            let run = bed.puppet_run(40, move |puppet: &mut Puppet, _| {
                if numbers.below(every) != 0 {
                    return;
                }
                for _ in 0..=numbers.below(words) {
                    let range = &ranges[numbers.below(ranges.len())];
                    let offset = range.start + numbers.draw() % ((range.end - range.start) / 4) * 4;
                    let word = puppet.memory.word32(offset);
                    word.store(harmful_word(&mut numbers), Ordering::Release);
                    bytes.fetch_add(4, Ordering::Relaxed);
                }
            });
            run.assert_sound();
            effort.add(Tried::Runs, 1);
        }
        effort.add(Tried::Bytes, bytes.load(Ordering::Relaxed));
    }
}

/// Everything the device writes is overwritten at once, at each moment of a run.
#[test]
fn a_region_of_noise_is_a_broken_run() {
    let effort = Effort::new("a_region_of_noise_is_a_broken_run", 60);
    while let Some(seed) = effort.next_seed() {
        let mut numbers = Numbers::new(seed);
        let mut bed = Bed::new(numbers.below(2) == 0, 2, 4, SETTINGS);
        let ranges = written(&bed);
        let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        let moment = [
            Moment::Running,
            Moment::Within,
            Moment::Last,
            Moment::Stopping,
        ][numbers.below(4)];
        let run = bed.puppet_run(40, move |puppet: &mut Puppet, now| {
            if now != moment || puppet.looks < 4 {
                return;
            }
            for offset in ranges.iter().flat_map(|range| range.clone().step_by(4)) {
                let word = puppet.memory.word32(offset);
                word.store(harmful_word(&mut numbers), Ordering::Release);
            }
        });
        run.assert_sound();
        assert_eq!(
            run.verdict.outcome,
            Outcome::Broken,
            "seed {seed}, {moment:?}"
        );
        effort.add(Tried::Bytes, bytes);
        effort.add(Tried::Runs, 1);
    }
}

/// Small, enormous, a single bit, or anything.
fn harmful_word(numbers: &mut Numbers) -> u32 {
    let anything = u32::try_from(numbers.draw() >> 32).unwrap();
    match numbers.below(4) {
        0 => anything % 10,
        1 => u32::MAX - anything % 3,
        2 => 1 << (anything % 32),
        _ => anything,
    }
}
