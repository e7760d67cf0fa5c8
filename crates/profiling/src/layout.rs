//! The layout of the capture region, decided on the host.

use crate::error::{ProfilingError, Result};
use crate::{Collector, LaneSettings};
use lanescope_abi::capture::{CAPTURE_GRANULE_BYTES, CAPTURE_MAGIC, NO_BUFFER};
use lanescope_abi::{
    CaptureHeader, CommitCounters, Kind, LINE_BYTES, LaneConfig, LaneDevice, LaneHost, RING_SIZES,
    ReadyEntry, Section,
};
use std::time::Duration;
use zerocopy::IntoBytes;

/// More than any run can use; a larger region is a mistake in the options.
const MAX_REGION_BYTES: u64 = 4 << 30;

/// Devices compare positions in an arena by their lower 4 bytes.
const MAX_ARENA_BYTES: u64 = 1 << 30;

/// More kinds than these are never staged.
const MAX_STAGED_LINES: u32 = 15;

/// What the region must fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionShape {
    /// Cores of a launch.
    pub core_count: u32,
    /// AICPU threads of a launch.
    pub thread_count: u32,
    /// Ring size of the device programs.
    pub ring_size: u32,
    /// Rate of the device's system counter.
    pub ticks_per_second: u64,
}

/// Where everything in the capture region is. Every offset is a multiple of 64.
///
/// Header, lane configurations, device lines, host lines, counters, staging rings, queues, buffers,
/// arenas, in this order; the size is a multiple of 2 MiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureLayout {
    header: CaptureHeader,
    lanes: Vec<LaneConfig>,
    buffers_offset_bytes: u64,
}

impl CaptureLayout {
    /// Lays out the region for these collectors; lanes are numbered collector by collector.
    ///
    /// # Errors
    ///
    /// [`ProfilingError::Config`] names the option that cannot be.
    pub fn new(shape: &RegionShape, collectors: &[Box<dyn Collector>]) -> Result<Self> {
        check_shape(shape)?;
        let kinds = kinds_of(collectors)?;
        let lane_count = kinds.len() as u64 * u64::from(shape.thread_count);
        let mut place = Place::default();
        place.take(size_of::<CaptureHeader>() as u64);
        let lane_configs = place.section(lane_count, size_of::<LaneConfig>() as u64)?;
        let lane_devices = place.section(lane_count, size_of::<LaneDevice>() as u64)?;
        let lane_hosts = place.section(lane_count, size_of::<LaneHost>() as u64)?;
        let counters = place.section(
            lane_count * u64::from(shape.core_count),
            size_of::<CommitCounters>() as u64,
        )?;
        let staged = collectors.iter().map(|collector| collector.staged_lines());
        let slot_lines = 1 + staged.fold(0, u32::saturating_add).min(MAX_STAGED_LINES);
        let staging = place.section(
            u64::from(shape.core_count),
            u64::from(shape.ring_size * slot_lines) * LINE_BYTES,
        )?;
        let mut lanes = Vec::new();
        for &(kind, record_bytes, settings) in &kinds {
            for thread in 0..shape.thread_count {
                lanes.push(place.queues(
                    (kind, record_bytes),
                    thread,
                    &settings,
                    shape.ticks_per_second,
                ));
            }
        }
        let buffers_offset_bytes = place.next;
        for lane in &mut lanes {
            lane.buffers_offset_bytes = place.take(
                u64::from(lane.capacity)
                    * u64::from(lane.records_per_buffer)
                    * u64::from(lane.record_bytes),
            );
        }
        for lane in lanes.iter_mut().filter(|lane| lane.arena_bytes != 0) {
            lane.arena_offset_bytes = place.take(lane.arena_bytes);
        }
        let capture_bytes = place.next.next_multiple_of(CAPTURE_GRANULE_BYTES);
        if capture_bytes > MAX_REGION_BYTES {
            return Err(config(
                "capture region",
                format!("{capture_bytes} bytes, at most {MAX_REGION_BYTES} are possible"),
            ));
        }
        let header = CaptureHeader {
            magic: CAPTURE_MAGIC,
            abi_hash: lanescope_abi::ABI_HASH,
            capture_bytes,
            core_count: shape.core_count,
            thread_count: shape.thread_count,
            ring_size: shape.ring_size,
            slot_lines,
            lane_count: narrow(lane_count)?,
            reserved: 0,
            lane_configs,
            lane_devices,
            lane_hosts,
            counters,
            staging,
        };
        Ok(Self {
            header,
            lanes,
            buffers_offset_bytes,
        })
    }

    /// The header the device reads.
    #[must_use]
    pub const fn header(&self) -> &CaptureHeader {
        &self.header
    }

    /// The lanes, in the order of their numbers.
    #[must_use]
    pub fn lanes(&self) -> &[LaneConfig] {
        &self.lanes
    }

    /// Bytes of the region.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.header.capture_bytes
    }

    /// Bytes that each kind takes, in the order of its lanes: queues, buffers and arenas. What is left of
    /// [`CaptureLayout::bytes`] is shared by all: lines of the lanes, counters, staging rings.
    #[must_use]
    pub fn bytes_by_kind(&self) -> Vec<(Kind, u64)> {
        let mut kinds: Vec<(Kind, u64)> = Vec::new();
        for lane in &self.lanes {
            let records = u64::from(lane.records_per_buffer) * u64::from(lane.record_bytes);
            let per_buffer = records + READY_ENTRY_BYTES + FREE_ENTRY_BYTES;
            let bytes = u64::from(lane.capacity) * per_buffer + lane.arena_bytes;
            let Some(kind) = Kind::from_raw(lane.kind) else {
                continue;
            };
            match kinds.last_mut() {
                Some((last, sum)) if *last == kind => *sum += bytes,
                _ => kinds.push((kind, bytes)),
            }
        }
        kinds
    }

    /// Everything in front of the buffers as it must be before the first launch: all buffers in the
    /// free queues, no slot published, no count.
    ///
    /// # Panics
    ///
    /// Never: the layout was checked when it was made.
    #[must_use]
    pub fn initial_image(&self) -> Vec<u8> {
        let length = usize::try_from(self.buffers_offset_bytes).expect("below 4 GiB");
        let mut image = vec![0; length];
        let mut put = |offset: u64, bytes: &[u8]| {
            let offset = usize::try_from(offset).expect("below 4 GiB");
            image[offset..][..bytes.len()].copy_from_slice(bytes);
        };
        put(0, self.header.as_bytes());
        for (index, lane) in (0..).zip(&self.lanes) {
            put(self.header.lane_configs.at(index), lane.as_bytes());
            let device = LaneDevice {
                filling_buffer: NO_BUFFER,
                ..LaneDevice::default()
            };
            put(self.header.lane_devices.at(index), device.as_bytes());
            let host = LaneHost {
                free_tail: lane.capacity,
                ..LaneHost::default()
            };
            put(self.header.lane_hosts.at(index), host.as_bytes());
            for buffer in 0..lane.capacity {
                let entry = lane.free_offset_bytes + u64::from(buffer) * FREE_ENTRY_BYTES;
                put(entry, buffer.as_bytes());
            }
        }
        image
    }
}

/// Bytes of a free entry: a buffer index.
pub(crate) const FREE_ENTRY_BYTES: u64 = 4;
/// Bytes of a ready entry.
pub(crate) const READY_ENTRY_BYTES: u64 = size_of::<ReadyEntry>() as u64;

/// Hands out the region from its start, line by line.
#[derive(Default)]
struct Place {
    next: u64,
}

impl Place {
    fn take(&mut self, bytes: u64) -> u64 {
        let offset = self.next;
        self.next = offset
            .saturating_add(bytes)
            .min(u64::MAX - LINE_BYTES)
            .next_multiple_of(LINE_BYTES);
        offset
    }

    fn section(&mut self, count: u64, stride_bytes: u64) -> Result<Section> {
        Ok(Section {
            offset_bytes: self.take(count * stride_bytes),
            count: narrow(count)?,
            stride_bytes: narrow(stride_bytes)?,
        })
    }

    fn queues(
        &mut self,
        (kind, record_bytes): (Kind, u32),
        thread: u32,
        settings: &LaneSettings,
        ticks_per_second: u64,
    ) -> LaneConfig {
        let capacity = u64::from(settings.buffers);
        LaneConfig {
            kind: kind.raw(),
            thread,
            capacity: settings.buffers,
            records_per_buffer: settings.records_per_buffer,
            record_bytes,
            policy: settings.policy as u32,
            block_limit_ticks: ticks(settings.block_limit, ticks_per_second),
            ready_offset_bytes: self.take(capacity * READY_ENTRY_BYTES),
            free_offset_bytes: self.take(capacity * FREE_ENTRY_BYTES),
            buffers_offset_bytes: 0,
            arena_offset_bytes: 0,
            arena_bytes: settings.arena_bytes,
            reserved: [0; 7],
        }
    }
}

fn check_shape(shape: &RegionShape) -> Result<()> {
    let cores = 1..=u32::from(u16::MAX);
    if !cores.contains(&shape.core_count) {
        return Err(config(
            "cores",
            format!("{}, expected 1..=65535", shape.core_count),
        ));
    }
    if !(1..=1024).contains(&shape.thread_count) {
        return Err(config(
            "AICPU threads",
            format!("{}, expected 1..=1024", shape.thread_count),
        ));
    }
    if !RING_SIZES.contains(&shape.ring_size) {
        return Err(config(
            "ring size",
            format!("{}, expected one of {RING_SIZES:?}", shape.ring_size),
        ));
    }
    if shape.ticks_per_second == 0 {
        return Err(config("ticks per second", "0".to_owned()));
    }
    Ok(())
}

fn kinds_of(collectors: &[Box<dyn Collector>]) -> Result<Vec<(Kind, u32, LaneSettings)>> {
    let mut kinds: Vec<(Kind, u32, LaneSettings)> = Vec::new();
    for collector in collectors {
        let (kind, settings) = (collector.kind(), collector.lanes());
        if kinds.iter().any(|&(other, ..)| other == kind) {
            return Err(config(
                "collectors",
                format!("two of them collect {} records", kind),
            ));
        }
        if !settings.buffers.is_power_of_two() || settings.buffers > 1 << 16 {
            return Err(config(
                "buffers",
                format!(
                    "{} for each {} lane, expected a power of two in 1..=65536",
                    settings.buffers, kind
                ),
            ));
        }
        if !(1..=1 << 20).contains(&settings.records_per_buffer) {
            return Err(config(
                "records per buffer",
                format!(
                    "{} for {} records, expected 1..=1048576",
                    settings.records_per_buffer, kind
                ),
            ));
        }
        let record_bytes = collector.record_bytes();
        if record_bytes == 0 || !u64::from(record_bytes).is_multiple_of(LINE_BYTES) {
            return Err(config(
                "record",
                format!(
                    "{record_bytes} bytes of a {kind} record, expected a multiple of {LINE_BYTES}"
                ),
            ));
        }
        let arena = settings.arena_bytes;
        if !arena.is_multiple_of(LINE_BYTES) || arena > MAX_ARENA_BYTES {
            return Err(config(
                "arena",
                format!(
                    "{arena} bytes for each {kind} lane, expected a multiple of {LINE_BYTES}, at most \
                     {MAX_ARENA_BYTES}"
                ),
            ));
        }
        kinds.push((kind, record_bytes, settings));
    }
    if kinds.is_empty() {
        return Err(config("collectors", "there is none".to_owned()));
    }
    Ok(kinds)
}

fn ticks(duration: Duration, ticks_per_second: u64) -> u64 {
    let ticks = duration.as_nanos() * u128::from(ticks_per_second) / 1_000_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

fn narrow(value: u64) -> Result<u32> {
    u32::try_from(value).map_err(|_| {
        config(
            "capture region",
            format!("a section of {value} items or bytes does not fit 32 bits"),
        )
    })
}

fn config(what: &'static str, reason: String) -> ProfilingError {
    ProfilingError::Config { what, reason }
}
