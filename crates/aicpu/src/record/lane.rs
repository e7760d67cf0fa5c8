//! A lane: where one AICPU thread's records of one kind go.

use super::buffers::Buffers;
use super::state::{Core, Staged};
use crate::region::{Region, are_apart, place};
use crate::{Control, Failure};
use core::mem::offset_of;
use lanescope_abi::capture::{
    CAPTURE_MAGIC, CaptureHeader, CommitCounters, DropReason, LaneConfig, LaneDevice, LaneHost,
    Policy,
};
use lanescope_abi::control::{AbiField, DeviceError};
use lanescope_abi::{ABI_HASH, Barrier, Device, Kind, LINE_BYTES, TaskRecord, TaskSlot, is_mutant};
use zerocopy::{FromBytes, IntoBytes};

/// The task lane of one AICPU thread.
#[derive(Debug)]
pub(crate) struct Lane<'d, D> {
    region: Region<'d, D>,
    header: CaptureHeader,
    index: u32,
    buffers: Buffers<'d, D>,
}

/// The part of a record that the AICPU knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) task_id: u64,
    pub(crate) func_id: u32,
    pub(crate) core_and_type: u32,
    /// Token in the low, run in the high half: the first word of slot and key.
    pub(crate) token_and_run: u64,
    pub(crate) dispatch_ticks: u64,
    pub(crate) finish_ticks: u64,
}

impl<'d, D: Device> Lane<'d, D> {
    /// Attaches to the capture region and finds the task lane of `thread`.
    pub(crate) fn attach(control: &Control<'d, D>, thread: u32) -> Result<Self, Failure> {
        let (device, outer) = (control.device(), &control.header);
        let header_bytes = size_of::<CaptureHeader>() as u64;
        if outer.capture_bytes < header_bytes {
            return Err(DeviceError::BadLayout.into());
        }
        // SAFETY: the control header is of our ABI and names the capture region and its length.
        let region = unsafe { Region::attach(device, outer.capture_address, outer.capture_bytes) };
        let region = region.ok_or(DeviceError::BadLayout)?;
        let header: CaptureHeader = read(&region, 0);
        check_header(control, &region, &header)?;
        for index in (thread..header.lane_count).step_by(header.thread_count as usize) {
            let config: LaneConfig = read(&region, header.lane_configs.at(index));
            if config.kind == Kind::TASK.raw() && config.thread == thread {
                return Self::open(control, region, header, index, config);
            }
        }
        Err(DeviceError::BadLayout.into())
    }

    fn open(
        control: &Control<'d, D>,
        region: Region<'d, D>,
        header: CaptureHeader,
        index: u32,
        config: LaneConfig,
    ) -> Result<Self, Failure> {
        let policy = Policy::from_raw(config.policy).ok_or(DeviceError::BadLayout)?;
        if !is_lane_sane(&region, &header, &config) {
            return Err(DeviceError::BadLayout.into());
        }
        let buffers = Buffers::attach(
            region,
            config,
            policy,
            header.lane_devices.at(index),
            header.lane_hosts.at(index),
            control.chip.ticks_per_second,
        )?;
        Ok(Self {
            region,
            header,
            index,
            buffers,
        })
    }

    /// Where `core` stages its records and what its counters stand at.
    pub(crate) fn staged(&self, core: u32) -> Staged {
        let counters = self
            .header
            .counters
            .at(self.index * self.header.core_count + core);
        if !is_mutant("counters-not-invalidated") {
            self.region.invalidate(counters);
        }
        let load = |field: usize| self.region.load64(counters + field as u64);
        Staged {
            ring: self.header.staging.at(core),
            counters,
            total: load(offset_of!(CommitCounters, total)),
            mismatched: load(offset_of!(CommitCounters, mismatched)),
            no_buffer: load(NO_BUFFER_FIELD),
        }
    }

    /// Device address of the staging ring of `core`.
    pub(crate) fn staging_address(&self, core: u32) -> u64 {
        self.region.address(self.header.staging.at(core))
    }

    /// Commits the record of one token, which `COND` has proven finished: one count in `total`, and
    /// then exactly one fate.
    #[inline]
    pub(crate) fn commit<const RING: usize>(
        &mut self,
        core: &mut Core<RING>,
        slot: u32,
        outcome: &Outcome,
    ) -> Result<(), DeviceError> {
        if is_mutant("total-late") {
            let committed = self.commit_counted(&mut core.staged, slot, outcome);
            self.count_attempt(&mut core.staged);
            return committed;
        }
        self.count_attempt(&mut core.staged);
        self.commit_counted(&mut core.staged, slot, outcome)
    }

    #[inline]
    fn count_attempt(&self, staged: &mut Staged) {
        if is_mutant("total-left-out") {
            return;
        }
        staged.total += 1 + u64::from(is_mutant("total-twice"));
        let counters = self.region.line(staged.counters);
        counters.store64::<{ offset_of!(CommitCounters, total) }>(staged.total);
    }

    /// The fate of an attempt that was counted.
    #[inline]
    fn commit_counted(
        &mut self,
        staged: &mut Staged,
        slot: u32,
        outcome: &Outcome,
    ) -> Result<(), DeviceError> {
        let region = self.region;
        let counters = region.line(staged.counters);
        let line = region.line(staged.ring + u64::from(slot) * LINE_BYTES);
        if !is_mutant("slot-not-invalidated") {
            line.invalidate();
        }
        let token_and_run = line.load64::<{ offset_of!(TaskSlot, token) }>();
        let seal = line.load32::<{ offset_of!(TaskSlot, seal) }>();
        if token_and_run != outcome.token_and_run || seal != low(token_and_run) {
            staged.mismatched += 1;
            counters.store64::<{ offset_of!(CommitCounters, mismatched) }>(staged.mismatched);
            return Ok(());
        }
        let receive_ticks = line.load64::<{ offset_of!(TaskSlot, receive_ticks) }>();
        let start_ticks = line.load64::<{ offset_of!(TaskSlot, start_ticks) }>();
        let end_ticks = line.load64::<{ offset_of!(TaskSlot, end_ticks) }>();
        let place = self.buffers.place();
        let Ok(Some(place)) = place else {
            staged.no_buffer += 1;
            counters.store64::<NO_BUFFER_FIELD>(staged.no_buffer);
            return place.map(|_| ());
        };
        region.line(place).store([
            outcome.task_id,
            u64::from(outcome.core_and_type) << 32 | u64::from(outcome.func_id),
            token_and_run,
            outcome.dispatch_ticks,
            receive_ticks,
            start_ticks,
            end_ticks,
            outcome.finish_ticks,
        ]);
        if !is_mutant("record-unfenced") {
            region.barrier(Barrier::Store);
        }
        self.buffers.placed()
    }

    /// Hands over what is left; the counters are where they belong already.
    pub(crate) fn flush(&mut self) -> Result<(), DeviceError> {
        let result = self.buffers.publish();
        self.region.barrier(Barrier::Store);
        result
    }
}

const NO_BUFFER_FIELD: usize =
    offset_of!(CommitCounters, dropped) + 8 * DropReason::NoBuffer as usize;

/// The words of a record are written in this order.
const _: () = {
    assert!(offset_of!(TaskRecord, task_id) == 0);
    assert!(offset_of!(TaskRecord, func_id) == 8);
    assert!(offset_of!(TaskRecord, core) == 12);
    assert!(offset_of!(TaskRecord, core_type) == 14);
    assert!(offset_of!(TaskRecord, token) == 16);
    assert!(offset_of!(TaskRecord, run_id) == 20);
    assert!(offset_of!(TaskRecord, dispatch_ticks) == 24);
    assert!(offset_of!(TaskRecord, receive_ticks) == 32);
    assert!(offset_of!(TaskRecord, start_ticks) == 40);
    assert!(offset_of!(TaskRecord, end_ticks) == 48);
    assert!(offset_of!(TaskRecord, finish_ticks) == 56);
    assert!(offset_of!(TaskSlot, run_id) == offset_of!(TaskSlot, token) + 4);
};

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what is wanted"
)]
const fn low(word: u64) -> u32 {
    word as u32
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
    let is_sane = header.capture_bytes == region.bytes()
        && header.slot_lines == 1
        && region.holds::<LaneConfig>(&header.lane_configs, lanes)
        && region.holds::<LaneDevice>(&header.lane_devices, lanes)
        && region.holds::<LaneHost>(&header.lane_hosts, lanes)
        && counters.is_some_and(|count| region.holds::<CommitCounters>(&header.counters, count))
        && region.holds::<TaskSlot>(&header.staging, header.core_count)
        && u64::from(header.staging.stride_bytes) >= u64::from(outer.ring_size) * LINE_BYTES;
    if is_sane {
        Ok(())
    } else {
        Err(DeviceError::BadLayout.into())
    }
}

/// Whether the lane's queues and buffers lie inside the region, apart from everything else.
fn is_lane_sane<D: Device>(
    region: &Region<'_, D>,
    header: &CaptureHeader,
    config: &LaneConfig,
) -> bool {
    let capacity = u64::from(config.capacity);
    let buffer_bytes = u64::from(config.records_per_buffer) * u64::from(config.record_bytes);
    let is_inside = config.capacity.is_power_of_two()
        && config.records_per_buffer != 0
        && config.record_bytes == TaskRecord::BYTES
        && region.holds_run(config.ready_offset_bytes, capacity, 16)
        && region.holds_run(config.free_offset_bytes, capacity, 4)
        && region.holds_run(config.buffers_offset_bytes, capacity, buffer_bytes);
    let run = |offset: u64, bytes: u64| (offset, offset + capacity * bytes);
    is_inside
        && are_apart(
            size_of::<CaptureHeader>() as u64,
            &[
                place(&header.lane_configs),
                place(&header.lane_devices),
                place(&header.lane_hosts),
                place(&header.counters),
                place(&header.staging),
                run(config.ready_offset_bytes, 16),
                run(config.free_offset_bytes, 4),
                run(config.buffers_offset_bytes, buffer_bytes),
            ],
        )
}
