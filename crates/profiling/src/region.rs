//! The capture region of an opened device: memory, mapping and layout.

use crate::CaptureLayout;
use crate::error::Result;
use lanescope_abi::capture::{LaneDevice, NO_BUFFER};
use lanescope_abi::{CommitCounters, LINE_BYTES, LaneConfig, LaneHost, Section, is_mutant};
use lanescope_platform::{
    Device, DeviceAddress, DeviceMemory, Mapping, MappingExt, PlatformError, Range,
};
use std::mem::offset_of;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use zerocopy::IntoBytes;

/// Device memory and its host view; both are released with the last user, the view first.
#[derive(Debug)]
pub(crate) struct Region {
    mapping: Box<dyn Mapping>,
    memory: Arc<dyn DeviceMemory>,
    layout: CaptureLayout,
}

impl Region {
    /// Allocates, maps, and writes everything the device finds on its first launch.
    pub(crate) fn new(device: &dyn Device, layout: CaptureLayout) -> Result<Self> {
        let memory = device.allocate(layout.bytes())?;
        let mapping = device.map(&memory, layout.bytes())?;
        let region = Self {
            mapping,
            memory,
            layout,
        };
        region.initialise()?;
        Ok(region)
    }

    /// A region whose words a model checker keeps, as they are before the first launch.
    #[cfg(all(test, loom))]
    pub(crate) fn over(
        mapping: Box<dyn Mapping>,
        memory: Arc<dyn DeviceMemory>,
        layout: CaptureLayout,
    ) -> Self {
        Self {
            mapping,
            memory,
            layout,
        }
    }

    fn initialise(&self) -> Result<()> {
        let image = self.layout.initial_image();
        self.mapping.write_bytes(0, &image);
        let zeros = vec![0; 1 << 20];
        let mut offset = image.len() as u64;
        while offset < self.layout.bytes() {
            let bytes = (self.layout.bytes() - offset).min(zeros.len() as u64);
            let length = usize::try_from(bytes).expect("at most 1 MiB");
            self.mapping.write_bytes(offset, &zeros[..length]);
            offset += bytes;
        }
        self.mapping.flush(0..self.layout.bytes())?;
        Ok(())
    }

    pub(crate) fn address(&self) -> DeviceAddress {
        self.memory.address()
    }

    pub(crate) fn layout(&self) -> &CaptureLayout {
        &self.layout
    }

    pub(crate) fn mapping(&self) -> &dyn Mapping {
        &*self.mapping
    }

    /// Writes a lane's queues as they are before the first launch, its buffers all free and the next
    /// one to be handed over of this sequence number. For an idle device alone.
    pub(crate) fn reset_lane(
        &self,
        lane: u32,
        config: &LaneConfig,
        sequence: u64,
    ) -> std::result::Result<(), PlatformError> {
        let host = self.layout.header().lane_hosts.at(lane);
        let taken = Some(self.lane_device(lane).arena_tail);
        let arena_tail = taken.filter(|&tail| is_arena_position(tail));
        let line = LaneHost {
            free_tail: config.capacity,
            arena_head: arena_tail.unwrap_or(0),
            ..LaneHost::default()
        };
        self.put(host, line.as_bytes())?;
        let free: Vec<u32> = (0..config.capacity).collect();
        self.put(config.free_offset_bytes, free.as_bytes())?;
        let device = self.layout.header().lane_devices.at(lane);
        let line = LaneDevice {
            ready_tail: 0,
            free_head: 0,
            filling_buffer: NO_BUFFER,
            filling_count: 0,
            sequence,
            arena_tail: arena_tail.unwrap_or(0),
            ..self.lane_device(lane)
        };
        self.put(device, line.as_bytes())
    }

    fn put(&self, offset: u64, bytes: &[u8]) -> std::result::Result<(), PlatformError> {
        self.mapping.write_bytes(offset, bytes);
        self.mapping.flush(offset..offset + bytes.len() as u64)
    }

    /// Pulls the device lines of all lanes: one copy at most.
    pub(crate) fn pull_lane_devices(&self) -> std::result::Result<(), PlatformError> {
        if is_mutant("lanes-not-pulled") {
            return Ok(());
        }
        self.mapping
            .invalidate(range(self.layout.header().lane_devices))
    }

    /// Pulls the device line of one lane.
    pub(crate) fn pull_lane_device(&self, lane: u32) -> std::result::Result<(), PlatformError> {
        let line = self.layout.header().lane_devices.at(lane);
        self.mapping.invalidate(line..line + LINE_BYTES)
    }

    /// Pulls all counters: one copy at most.
    pub(crate) fn pull_counters(&self) -> std::result::Result<(), PlatformError> {
        if is_mutant("counters-not-pulled") {
            return Ok(());
        }
        self.mapping
            .invalidate(range(self.layout.header().counters))
    }

    /// Pushes the host lines of all lanes, which nobody else writes: one copy at most.
    pub(crate) fn push_lane_hosts(&self) -> std::result::Result<(), PlatformError> {
        if is_mutant("hosts-not-pushed") {
            return Ok(());
        }
        self.mapping.flush(range(self.layout.header().lane_hosts))
    }

    pub(crate) fn load_device32(&self, lane: u32, field: usize) -> u32 {
        let acquire = match is_mutant("tail-not-acquired") {
            true => Ordering::Relaxed,
            false => Ordering::Acquire,
        };
        self.mapping.load32(self.device_word(lane, field), acquire)
    }

    pub(crate) fn load_host32(&self, lane: u32, field: usize) -> u32 {
        self.mapping
            .load32(self.host_word(lane, field), Ordering::Relaxed)
    }

    pub(crate) fn store_host32(&self, lane: u32, field: usize, value: u32) {
        let release = match is_mutant("host-not-released") {
            true => Ordering::Relaxed,
            false => Ordering::Release,
        };
        self.mapping
            .store32(self.host_word(lane, field), value, release);
    }

    /// Bytes of the lane's arena that the device has taken.
    pub(crate) fn arena_tail(&self, lane: u32) -> u64 {
        let word = self.device_word(lane, offset_of!(LaneDevice, arena_tail));
        self.mapping.load64(word, Ordering::Acquire)
    }

    /// Bytes of the lane's arena that are given back.
    pub(crate) fn arena_head(&self, lane: u32) -> u64 {
        let word = self.host_word(lane, offset_of!(LaneHost, arena_head));
        self.mapping.load64(word, Ordering::Relaxed)
    }

    /// Gives back everything before a position of the lane's arena.
    pub(crate) fn store_arena_head(&self, lane: u32, head: u64) {
        let word = self.host_word(lane, offset_of!(LaneHost, arena_head));
        self.mapping.store64(word, head, Ordering::Release);
    }

    /// Copies the arena's bytes from a position on; they may lie across its end.
    pub(crate) fn copy_arena(
        &self,
        config: &LaneConfig,
        position: u64,
        mut to: &mut [u8],
    ) -> std::result::Result<(), PlatformError> {
        let mut place = position % config.arena_bytes;
        while !to.is_empty() {
            let left = usize::try_from(config.arena_bytes - place).unwrap_or(usize::MAX);
            let (now, later) = to.split_at_mut(to.len().min(left));
            let begin = config.arena_offset_bytes + place;
            self.mapping.invalidate(begin..begin + now.len() as u64)?;
            self.mapping.read_bytes(begin, now);
            to = later;
            place = 0;
        }
        Ok(())
    }

    /// The device line of a lane, each word read once.
    pub(crate) fn lane_device(&self, lane: u32) -> LaneDevice {
        let long = |field| {
            self.mapping
                .load64(self.device_word(lane, field), Ordering::Acquire)
        };
        // The device stores both in one word, so that they belong together.
        let filling = long(offset_of!(LaneDevice, filling_buffer)).to_le_bytes();
        let [filling_buffer, filling_count]: [u32; 2] = zerocopy::transmute!(filling);
        LaneDevice {
            ready_tail: self.load_device32(lane, offset_of!(LaneDevice, ready_tail)),
            free_head: self.load_device32(lane, offset_of!(LaneDevice, free_head)),
            filling_buffer,
            filling_count,
            sequence: long(offset_of!(LaneDevice, sequence)),
            waits: long(offset_of!(LaneDevice, waits)),
            blocked_ticks: long(offset_of!(LaneDevice, blocked_ticks)),
            arena_tail: self.arena_tail(lane),
            reserved: [0; 2],
        }
    }

    /// The counters of a lane and core, each word read once; `total`, which grows first, is read last, so
    /// that it is never short of the others.
    pub(crate) fn counters(&self, lane: u32, core: u32) -> CommitCounters {
        let header = self.layout.header();
        let line = header.counters.at(lane * header.core_count + core);
        let word = |field: usize| self.mapping.load64(line + field as u64, Ordering::Acquire);
        let dropped = offset_of!(CommitCounters, dropped);
        CommitCounters {
            mismatched: word(offset_of!(CommitCounters, mismatched)),
            dropped: std::array::from_fn(|reason| word(dropped + reason * size_of::<u64>())),
            total: word(offset_of!(CommitCounters, total)),
            reserved: [0; 2],
        }
    }

    /// Where a buffer of a lane begins; the caller has checked the index.
    pub(crate) fn buffer_offset(config: &LaneConfig, buffer: u32) -> u64 {
        let buffer_bytes = u64::from(config.records_per_buffer) * u64::from(config.record_bytes);
        config.buffers_offset_bytes + u64::from(buffer) * buffer_bytes
    }

    fn device_word(&self, lane: u32, field: usize) -> u64 {
        self.layout.header().lane_devices.at(lane) + field as u64
    }

    fn host_word(&self, lane: u32, field: usize) -> u64 {
        debug_assert!(field < size_of::<LaneHost>());
        self.layout.header().lane_hosts.at(lane) + field as u64
    }
}

/// Whether the device can have come to this position of an arena: it goes on by whole lines, and never
/// as far as that they wrap.
pub(crate) const fn is_arena_position(position: u64) -> bool {
    position.is_multiple_of(LINE_BYTES) && position < 1 << 62
}

fn range(section: Section) -> Range {
    section.offset_bytes..section.end().expect("sections lie inside the region")
}
