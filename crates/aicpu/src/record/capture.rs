//! The capture region as an AICPU thread sees it: attached, its header and lanes checked.

use crate::region::{Region, are_apart, place};
use crate::{Control, Failure};
use lanescope_abi::capture::{
    CAPTURE_MAGIC, CaptureHeader, CommitCounters, LaneConfig, LaneDevice, LaneHost, Policy,
};
use lanescope_abi::control::{AbiField, DeviceError};
use lanescope_abi::{ABI_HASH, Device, Kind, LINE_BYTES, Record, TaskSlot, is_mutant};
use zerocopy::{FromBytes, IntoBytes};

/// The longest arena: two positions in it differ by less than half of what 4 bytes count.
const MOST_ARENA_BYTES: u64 = 1 << 30;

/// An attached capture region; one per AICPU thread and run.
#[derive(Debug)]
pub(crate) struct Capture<'d, D> {
    pub(crate) region: Region<'d, D>,
    pub(crate) header: CaptureHeader,
    pub(crate) ticks_per_second: u64,
}

impl<D> Clone for Capture<'_, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Capture<'_, D> {}

/// A lane that was found: its number, and its shape, which lies inside the region.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) index: u32,
    pub(crate) config: LaneConfig,
    pub(crate) policy: Policy,
}

impl<'d, D: Device> Capture<'d, D> {
    /// Attaches to the capture region; `None` when no collector is on.
    pub(crate) fn attach(control: &Control<'d, D>) -> Result<Option<Self>, Failure> {
        let (device, outer) = (control.device(), &control.header);
        if outer.capture_address == 0 {
            return Ok(None);
        }
        let header_bytes = size_of::<CaptureHeader>() as u64;
        if outer.capture_bytes < header_bytes {
            return Err(DeviceError::BadLayout.into());
        }
        // SAFETY: the control header is of our ABI and names the capture region and its length.
        let region = unsafe { Region::attach(device, outer.capture_address, outer.capture_bytes) };
        let region = region.ok_or(DeviceError::BadLayout)?;
        let header: CaptureHeader = read(&region, 0);
        check_header(control, &region, &header)?;
        Ok(Some(Self {
            region,
            header,
            ticks_per_second: control.chip.ticks_per_second,
        }))
    }

    /// The lane of `thread` that carries records `R`, if there is one.
    pub(crate) fn find<R: Record>(&self, thread: u32) -> Result<Option<Found>, Failure> {
        self.find_kind(R::KIND, R::BYTES, thread)
    }

    /// As [`Capture::find`], for records of so many bytes.
    pub(crate) fn find_kind(
        &self,
        kind: Kind,
        record_bytes: u32,
        thread: u32,
    ) -> Result<Option<Found>, Failure> {
        let header = &self.header;
        for index in (thread..header.lane_count).step_by(header.thread_count as usize) {
            let config: LaneConfig = read(&self.region, header.lane_configs.at(index));
            if config.kind != kind.raw() || config.thread != thread {
                continue;
            }
            let policy = Policy::from_raw(config.policy).ok_or(DeviceError::BadLayout)?;
            let is_sane = config.record_bytes == record_bytes && self.is_lane_sane(&config);
            if !is_sane || !self.is_apart_from_others(thread, index, &config) {
                return Err(DeviceError::BadLayout.into());
            }
            return Ok(Some(Found {
                index,
                config,
                policy,
            }));
        }
        Ok(None)
    }

    /// Whether the lane's queues, buffers and arena lie inside the region, apart from everything else.
    fn is_lane_sane(&self, config: &LaneConfig) -> bool {
        let (region, header) = (&self.region, &self.header);
        let capacity = u64::from(config.capacity);
        let buffer_bytes = u64::from(config.records_per_buffer) * u64::from(config.record_bytes);
        let is_arena_sane = config.arena_bytes == 0
            || config.arena_bytes.is_multiple_of(LINE_BYTES)
                && config.arena_bytes <= MOST_ARENA_BYTES
                && region.holds_run(config.arena_offset_bytes, config.arena_bytes, 1);
        let is_inside = config.capacity.is_power_of_two()
            && config.records_per_buffer != 0
            && is_arena_sane
            && region.holds_run(config.ready_offset_bytes, capacity, 16)
            && region.holds_run(config.free_offset_bytes, capacity, 4)
            && region.holds_run(config.buffers_offset_bytes, capacity, buffer_bytes);
        let [ready, free, buffers, arena] = runs(config);
        is_inside
            && are_apart(
                size_of::<CaptureHeader>() as u64,
                &[
                    place(&header.lane_configs),
                    place(&header.lane_devices),
                    place(&header.lane_hosts),
                    place(&header.counters),
                    place(&header.staging),
                    ready,
                    free,
                    buffers,
                    arena,
                ],
            )
    }

    /// Whether a lane lies apart from the others of its thread.
    fn is_apart_from_others(&self, thread: u32, index: u32, config: &LaneConfig) -> bool {
        let header = &self.header;
        let lanes = (thread..header.lane_count).step_by(header.thread_count as usize);
        lanes.filter(|other| *other != index).all(|other| {
            let other: LaneConfig = read(&self.region, header.lane_configs.at(other));
            let [ready, free, buffers, arena] = runs(config);
            runs(&other).into_iter().all(|run| {
                [ready, free, buffers, arena]
                    .iter()
                    .all(|own| are_apart(0, &[*own, run]))
            })
        })
    }
}

/// Ready queue, free queue, buffers and arena of a lane, as (first, end) offsets.
fn runs(config: &LaneConfig) -> [(u64, u64); 4] {
    let capacity = u64::from(config.capacity);
    let buffer_bytes = u64::from(config.records_per_buffer) * u64::from(config.record_bytes);
    let run = |offset: u64, bytes: u64| (offset, offset.saturating_add(bytes));
    [
        run(config.ready_offset_bytes, capacity * 16),
        run(config.free_offset_bytes, capacity * 4),
        run(
            config.buffers_offset_bytes,
            capacity.saturating_mul(buffer_bytes),
        ),
        run(config.arena_offset_bytes, config.arena_bytes),
    ]
}

/// Lines of a staging slot: times, and on a chip whose cores read their own counters, those.
pub(crate) fn slot_lines<D>(control: &Control<'_, D>) -> u32 {
    let counts = control.header.pmu_event != 0 && control.chip.registers.pmu.is_read_by_core;
    1 + u32::from(counts)
}

/// Reads what the host wrote before launch; `offset` was checked.
fn read<T: FromBytes + IntoBytes, D: Device>(region: &Region<'_, D>, offset: u64) -> T {
    let mut value = T::new_zeroed();
    if !is_mutant("capture-not-invalidated") {
        region.invalidate_range(offset, size_of::<T>() as u64);
    }
    for (offset, bytes) in (offset..)
        .step_by(8)
        .zip(value.as_mut_bytes().chunks_mut(8))
    {
        bytes.copy_from_slice(&region.load64(offset).to_le_bytes());
    }
    value
}

fn check_header<D: Device>(
    control: &Control<'_, D>,
    region: &Region<'_, D>,
    header: &CaptureHeader,
) -> Result<(), Failure> {
    let outer = &control.header;
    if header.magic != CAPTURE_MAGIC {
        return Err(Failure::mismatch(AbiField::Magic, CAPTURE_MAGIC));
    }
    if header.abi_hash != ABI_HASH {
        return Err(Failure::mismatch(AbiField::Hash, ABI_HASH));
    }
    for (field, here, there) in [
        (AbiField::RingSize, outer.ring_size, header.ring_size),
        (AbiField::CoreCount, outer.core_count, header.core_count),
        (
            AbiField::ThreadCount,
            outer.thread_count,
            header.thread_count,
        ),
    ] {
        if here != there {
            return Err(Failure::mismatch(field, u64::from(here)));
        }
    }
    let lanes = header.lane_count;
    let counters = lanes.checked_mul(header.core_count);
    let slot_lines = slot_lines(control);
    let ring_bytes = u64::from(outer.ring_size * slot_lines) * LINE_BYTES;
    let is_sane = header.capture_bytes == region.bytes()
        && header.slot_lines == slot_lines
        && region.holds::<LaneConfig>(&header.lane_configs, lanes)
        && region.holds::<LaneDevice>(&header.lane_devices, lanes)
        && region.holds::<LaneHost>(&header.lane_hosts, lanes)
        && counters.is_some_and(|count| region.holds::<CommitCounters>(&header.counters, count))
        && region.holds::<TaskSlot>(&header.staging, header.core_count)
        && u64::from(header.staging.stride_bytes) >= ring_bytes;
    if is_sane {
        Ok(())
    } else {
        Err(DeviceError::BadLayout.into())
    }
}
