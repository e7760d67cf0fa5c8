//! The layout of the capture region.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lanescope_abi::capture::CAPTURE_GRANULE_BYTES;
use lanescope_abi::{Chip, ChipInfo, Kind, LINE_BYTES, RING_SIZES};
use lanescope_profiling::{
    CaptureLayout, Collector, Dump, LaneSettings, Phases, Pmu, ProfilingError, RegionShape,
    Swimlane,
};

fn shape(chip: &ChipInfo, ring_size: u32) -> RegionShape {
    RegionShape {
        core_count: chip.max_cores,
        thread_count: chip.max_threads,
        ring_size,
        ticks_per_second: chip.ticks_per_second,
    }
}

fn layout(shape: &RegionShape, settings: LaneSettings) -> Result<CaptureLayout, ProfilingError> {
    let collectors: Vec<Box<dyn Collector>> = vec![Box::new(Swimlane::new(settings))];
    CaptureLayout::new(shape, &collectors)
}

#[test]
fn default_memory_is_small_and_nothing_overlaps() {
    for chip in Chip::ALL {
        for ring_size in RING_SIZES {
            let info = chip.info();
            let layout = layout(&shape(info, ring_size), LaneSettings::default()).unwrap();
            assert!(layout.bytes().is_multiple_of(CAPTURE_GRANULE_BYTES));
            if chip == Chip::A2a3 {
                assert!(layout.bytes() <= 16 << 20, "{} bytes", layout.bytes());
            }
            let header = layout.header();
            let mut ranges: Vec<(u64, u64)> = [
                header.lane_configs,
                header.lane_devices,
                header.lane_hosts,
                header.counters,
                header.staging,
            ]
            .iter()
            .map(|section| (section.offset_bytes, section.end().unwrap()))
            .collect();
            ranges.push((0, size_of_val(header) as u64));
            assert_eq!(layout.lanes().len(), header.lane_count as usize);
            for (index, lane) in (0..).zip(layout.lanes()) {
                assert_eq!(lane.thread, index % info.max_threads);
                assert_eq!(lane.block_limit_ticks, info.ticks_per_second);
                let capacity = u64::from(lane.capacity);
                let buffers = capacity * u64::from(lane.records_per_buffer * lane.record_bytes);
                for (offset, bytes) in [
                    (lane.ready_offset_bytes, capacity * 16),
                    (lane.free_offset_bytes, capacity * 4),
                    (lane.buffers_offset_bytes, buffers),
                ] {
                    ranges.push((offset, offset + bytes));
                }
            }
            ranges.sort_unstable();
            for pair in ranges.windows(2) {
                assert!(pair[0].1 <= pair[1].0, "{pair:?}");
            }
            assert!(
                ranges
                    .iter()
                    .all(|range| range.0.is_multiple_of(LINE_BYTES))
            );
            assert!(ranges.last().unwrap().1 <= layout.bytes());
        }
    }
}

#[test]
fn arenas_lie_apart_and_staged_counters_have_a_line() {
    let dump = LaneSettings {
        arena_bytes: 4160,
        ..Dump::default_lanes()
    };
    for chip in Chip::ALL {
        let info = chip.info();
        let collectors: Vec<Box<dyn Collector>> = vec![
            Box::new(Dump::new(dump)),
            Box::new(Phases::new(Phases::default_lanes())),
            Box::new(Pmu::new(Pmu::default_lanes(), info)),
        ];
        let layout = CaptureLayout::new(&shape(info, 4), &collectors).unwrap();
        let header = layout.header();
        let slot_lines = 1 + u32::from(chip == Chip::A5);
        assert_eq!(header.slot_lines, slot_lines);
        assert_eq!(header.staging.stride_bytes, 4 * slot_lines * 64);
        let mut end = 0;
        for lane in layout.lanes() {
            let bytes = u64::from(lane.capacity * lane.records_per_buffer * lane.record_bytes);
            end = end.max(lane.buffers_offset_bytes + bytes);
        }
        for (index, lane) in layout.lanes().iter().enumerate() {
            if index < info.max_threads as usize {
                assert!(lane.arena_offset_bytes >= end);
                end = lane.arena_offset_bytes + lane.arena_bytes;
                assert_eq!(lane.arena_bytes, 4160);
            } else {
                assert_eq!((lane.arena_offset_bytes, lane.arena_bytes), (0, 0));
            }
        }
        assert!(end <= layout.bytes());
        let by_kind = layout.bytes_by_kind();
        let kinds: Vec<Kind> = by_kind.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [Kind::TENSOR, Kind::PHASE, Kind::PMU]);
        let threads = u64::from(info.max_threads);
        assert_eq!(by_kind[1].1, threads * 32 * (512 * 64 + 16 + 4));
        assert_eq!(by_kind[0].1, threads * (32 * (64 * 192 + 16 + 4) + 4160));
    }
}

#[test]
fn shapes_that_cannot_be_are_refused_by_name() {
    let good = shape(Chip::A2a3.info(), 2);
    let settings = LaneSettings::default();
    let refused = |shape: &RegionShape, settings: LaneSettings| {
        layout(shape, settings).unwrap_err().to_string()
    };
    let ring = RegionShape {
        ring_size: 3,
        ..good
    };
    assert_eq!(
        refused(&ring, settings),
        "ring size: 3, expected one of [1, 2, 4, 8, 16]"
    );
    let cores = RegionShape {
        core_count: 0,
        ..good
    };
    assert_eq!(refused(&cores, settings), "cores: 0, expected 1..=65535");
    let buffers = LaneSettings {
        buffers: 12,
        ..settings
    };
    assert!(refused(&good, buffers).starts_with("buffers: 12 for each task lane"));
    let records = LaneSettings {
        records_per_buffer: 0,
        ..settings
    };
    assert!(refused(&good, records).starts_with("records per buffer: 0"));
    let huge = LaneSettings {
        buffers: 1 << 16,
        records_per_buffer: 1 << 20,
        ..settings
    };
    assert!(refused(&good, huge).starts_with("capture region: "));
    let twice: Vec<Box<dyn Collector>> = vec![
        Box::new(Swimlane::new(settings)),
        Box::new(Swimlane::new(settings)),
    ];
    let error = CaptureLayout::new(&good, &twice).unwrap_err();
    assert_eq!(
        error.to_string(),
        "collectors: two of them collect task records"
    );
    assert!(CaptureLayout::new(&good, &[]).is_err());
}
