//! Which line of device memory is what, from the headers of a launch.

use crate::memory::Memory;
use lanescope_abi::capture::{
    CAPTURE_MAGIC, CaptureHeader, CommitCounters, LaneConfig, LaneDevice, ReadyEntry,
};
use lanescope_abi::control::{CONTROL_MAGIC, ControlHeader, CoreOrder};
use lanescope_abi::{ArenaMark, LINE_BYTES, Section};
use lanescope_sim_wire::{CorruptWord, StaleWords};
use std::mem::offset_of;
use zerocopy::FromBytes;

/// The sections of both regions by device address. Without a capture region, or a header of this
/// ABI, the sections are empty.
#[derive(Debug, Default)]
pub(super) struct Places {
    cores: u32,
    ring_size: u32,
    orders: Span,
    answers: Span,
    payloads: Span,
    staging: Span,
    counters: Span,
    lane_devices: Span,
    lane_hosts: Span,
    ready_queues: Vec<Span>,
    /// Lines of the arena of each lane.
    arenas: Vec<Span>,
}

/// Items of one size side by side.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    begin: u64,
    count: u32,
    stride: u64,
}

impl Span {
    fn new(region: u64, section: &Section) -> Self {
        Self {
            begin: region.wrapping_add(section.offset_bytes),
            count: section.count,
            stride: section.stride_bytes.into(),
        }
    }

    /// Which item an address lies in, and how far behind its begin.
    fn find(&self, address: u64) -> Option<(u32, u64)> {
        let offset = address.checked_sub(self.begin)?;
        let index = u32::try_from(offset.checked_div(self.stride)?).ok()?;
        (index < self.count).then_some((index, offset % self.stride))
    }

    fn index(&self, address: u64) -> Option<u32> {
        Some(self.find(address)?.0)
    }
}

impl Places {
    /// Reads the headers; `None` when there are none at that address.
    pub(super) fn read(memory: &Memory, control_address: u64) -> Option<Self> {
        let control: ControlHeader = read(memory, control_address)?;
        if control.magic != CONTROL_MAGIC {
            return None;
        }
        let in_control = |section| Span::new(control_address, section);
        let places = Self {
            cores: control.core_count,
            ring_size: control.ring_size,
            orders: in_control(&control.orders),
            answers: in_control(&control.answers),
            payloads: in_control(&control.payloads),
            ..Self::default()
        };
        if control.capture_address == 0 {
            return Some(places);
        }
        let region = control.capture_address;
        let capture: CaptureHeader = read(memory, region)?;
        if capture.magic != CAPTURE_MAGIC {
            return Some(places);
        }
        let in_capture = |section| Span::new(region, section);
        let configs = in_capture(&capture.lane_configs);
        let configs: Vec<LaneConfig> = (0..u64::from(configs.count))
            .filter_map(|index| read(memory, configs.begin + index * configs.stride))
            .collect();
        let ready_queues = configs.iter().map(|config| Span {
            begin: region.wrapping_add(config.ready_offset_bytes),
            count: config.capacity,
            stride: size_of::<ReadyEntry>() as u64,
        });
        let arenas = configs.iter().map(|config| Span {
            begin: region.wrapping_add(config.arena_offset_bytes),
            count: u32::try_from(config.arena_bytes / LINE_BYTES).unwrap_or(u32::MAX),
            stride: LINE_BYTES,
        });
        Some(Self {
            staging: in_capture(&capture.staging),
            counters: in_capture(&capture.counters),
            lane_devices: in_capture(&capture.lane_devices),
            lane_hosts: in_capture(&capture.lane_hosts),
            ready_queues: ready_queues.collect(),
            arenas: arenas.collect(),
            ..places
        })
    }

    /// The core whose staging ring holds the line.
    pub(super) fn slot(&self, line: u64) -> Option<u32> {
        self.staging.index(line)
    }

    /// The lane whose host line holds the address.
    pub(super) fn host_line(&self, address: u64) -> Option<u32> {
        self.lane_hosts.index(address)
    }

    /// The core, or the lane, whose line of that kind this is.
    pub(super) fn stale(&self, words: StaleWords, line: u64) -> Option<u32> {
        match words {
            StaleWords::Slot => self.slot(line),
            StaleWords::Answer => self.answers.index(line),
            StaleWords::Host => self.host_line(line),
            StaleWords::Order => self.orders.index(line),
            StaleWords::Payload => self.payloads.index(line)?.checked_div(self.ring_size),
        }
    }

    /// The lane, or the core, whose word of that kind this is.
    pub(super) fn corrupt(&self, word: CorruptWord, address: u64) -> Option<u32> {
        let of_lane = |field: usize| at(&self.lane_devices, address, field);
        let of_counters =
            |field: usize| at(&self.counters, address, field)?.checked_div(self.cores);
        let of_spans = |spans: &[Span], field: usize| {
            let is_in = |span: &Span| at(span, address, field).is_some();
            u32::try_from(spans.iter().position(is_in)?).ok()
        };
        let of_entry = |field: usize| of_spans(&self.ready_queues, field);
        match word {
            CorruptWord::ReadyTail => of_lane(offset_of!(LaneDevice, ready_tail)),
            CorruptWord::FreeHead => of_lane(offset_of!(LaneDevice, free_head)),
            CorruptWord::Filling => of_lane(offset_of!(LaneDevice, filling_buffer)),
            CorruptWord::Sequence => of_lane(offset_of!(LaneDevice, sequence)),
            // Both are stored in one word.
            CorruptWord::EntryBuffer | CorruptWord::EntryCount => {
                of_entry(offset_of!(ReadyEntry, buffer))
            }
            CorruptWord::EntrySequence => of_entry(offset_of!(ReadyEntry, sequence)),
            CorruptWord::Total => of_counters(offset_of!(CommitCounters, total)),
            CorruptWord::Mismatched => of_counters(offset_of!(CommitCounters, mismatched)),
            CorruptWord::Dropped => of_counters(offset_of!(CommitCounters, dropped)),
            CorruptWord::Dispatched => at(&self.orders, address, offset_of!(CoreOrder, dispatched)),
            // The word that completes a mark.
            CorruptWord::Payload => of_spans(&self.arenas, offset_of!(ArenaMark, checksum)),
        }
    }

    /// The line in front of the one around an address, in the arena of a lane.
    pub(super) fn line_before(&self, lane: u32, address: u64) -> Option<u64> {
        let arena = self.arenas.get(lane as usize)?;
        let line = arena.index(address)?;
        let before = line.checked_sub(1).unwrap_or(arena.count - 1);
        Some(arena.begin + u64::from(before) * arena.stride)
    }
}

/// The item whose field at that offset has this address.
fn at(span: &Span, address: u64, field: usize) -> Option<u32> {
    let (index, offset) = span.find(address)?;
    (offset == field as u64).then_some(index)
}

/// A structure of the host, if all of it is device memory.
fn read<T: FromBytes>(memory: &Memory, address: u64) -> Option<T> {
    if !address.is_multiple_of(LINE_BYTES) {
        return None;
    }
    let bytes = memory.copy(address, size_of::<T>() as u64)?;
    T::read_from_bytes(&bytes).ok()
}
