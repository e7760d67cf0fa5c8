//! The buffer a lane is filling, and where the next one comes from.

use super::queues::{FreeQueue, ReadyQueue};
use crate::region::Region;
use core::mem::offset_of;
use lanescope_abi::capture::{LaneConfig, LaneDevice, NO_BUFFER, Policy};
use lanescope_abi::control::DeviceError;
use lanescope_abi::device::AwaitedBy;
use lanescope_abi::{Awaited, AwaitedWord, Device, ReadyEntry, is_mutant};
use lanescope_ring::{Consumer, Producer};

/// A shorter wait for a buffer is not a wait: it is what looking for one costs.
const WAIT_FLOOR_NS: u64 = 1000;

/// The buffers of one lane, private to its AICPU thread.
#[derive(Debug)]
pub(crate) struct Buffers<'d, D> {
    region: Region<'d, D>,
    ready: Producer<ReadyQueue<'d, D>>,
    free: Consumer<FreeQueue<'d, D>>,
    config: LaneConfig,
    policy: Policy,
    wait_floor_ticks: u64,
    /// Offset of the lane's [`LaneDevice`].
    device_line: u64,
    buffer_bytes: u64,
    /// Index of the buffer that is being filled, or [`NO_BUFFER`].
    buffer: u32,
    /// Whole records in it.
    count: u32,
    /// Offset of the place of the next record.
    next_record: u64,
    /// A wait ran out: drop without waiting until a buffer is free.
    is_dropping: bool,
    /// A full buffer could not be handed over: the host takes it back, and the rest is dropped.
    is_broken: bool,
    sequence: u64,
    waits: u64,
    blocked_ticks: u64,
    /// The last wait, as (begin, end) ticks, until it is taken.
    last_wait: Option<(u64, u64)>,
}

impl<'d, D: Device> Buffers<'d, D> {
    /// Takes up the lane where its last run left it; `config` was checked against the region.
    pub(crate) fn attach(
        region: Region<'d, D>,
        config: LaneConfig,
        policy: Policy,
        device_line: u64,
        host_line: u64,
        ticks_per_second: u64,
    ) -> Result<Self, DeviceError> {
        let ready = ReadyQueue {
            region,
            device_line,
            host_line,
            entries: config.ready_offset_bytes,
        };
        let free = FreeQueue {
            region,
            device_line,
            host_line,
            entries: config.free_offset_bytes,
        };
        let corrupt = |_| DeviceError::CorruptQueue;
        let load = |field: usize| region.load64(device_line + field as u64);
        if !is_mutant("lane-line-not-invalidated") {
            region.invalidate(device_line);
        }
        let buffers = Self {
            region,
            ready: Producer::attach(ready, config.capacity).map_err(corrupt)?,
            free: Consumer::attach(free, config.capacity).map_err(corrupt)?,
            config,
            policy,
            wait_floor_ticks: ticks_per_second * WAIT_FLOOR_NS / 1_000_000_000,
            device_line,
            buffer_bytes: u64::from(config.records_per_buffer) * u64::from(config.record_bytes),
            buffer: NO_BUFFER,
            count: 0,
            next_record: 0,
            is_dropping: false,
            is_broken: false,
            sequence: load(offset_of!(LaneDevice, sequence)),
            waits: load(offset_of!(LaneDevice, waits)),
            blocked_ticks: load(offset_of!(LaneDevice, blocked_ticks)),
            last_wait: None,
        };
        buffers.store_filling();
        Ok(buffers)
    }

    /// Offset of the place for one record, or `None` when the record is to be dropped.
    #[inline]
    pub(crate) fn place(&mut self) -> Result<Option<u64>, DeviceError> {
        if is_mutant("rotate-late") && self.count == self.config.records_per_buffer {
            self.publish()?;
        }
        if self.buffer == NO_BUFFER && !self.take()? {
            return Ok(None);
        }
        Ok(Some(self.next_record))
    }

    /// Counts the record that now stands, visibly, in its place; publishes the buffer when full.
    #[inline]
    pub(crate) fn placed(&mut self) -> Result<(), DeviceError> {
        self.count += 1;
        self.next_record += u64::from(self.config.record_bytes);
        self.store_filling();
        if self.count == self.config.records_per_buffer && !is_mutant("rotate-late") {
            self.publish()?;
            if is_mutant("take-early") {
                self.take()?;
            }
        }
        Ok(())
    }

    /// Hands over what is in the buffer; nothing when there is none.
    pub(crate) fn publish(&mut self) -> Result<(), DeviceError> {
        if self.buffer == NO_BUFFER {
            return Ok(());
        }
        let entry = ReadyEntry {
            buffer: self.buffer,
            count: self.count,
            sequence: self.sequence,
        };
        // Looking at the head every time costs the same whatever the host's speed.
        let pushed = self.ready.refresh().and_then(|_| self.ready.push(entry));
        if pushed.is_err() {
            // The lane's line still names the buffer and its count, for the host to salvage.
            self.is_broken = true;
            self.buffer = NO_BUFFER;
            return Err(DeviceError::CorruptQueue);
        }
        self.sequence += 1;
        self.store(offset_of!(LaneDevice, sequence), self.sequence);
        self.buffer = NO_BUFFER;
        self.count = 0;
        self.store_filling();
        Ok(())
    }

    /// Takes a free buffer, by the lane's policy; `false` when there is none.
    #[cold]
    fn take(&mut self) -> Result<bool, DeviceError> {
        if self.is_broken {
            return Ok(false);
        }
        let device = self.region.device();
        let begin = device.ticks();
        let may_wait = self.policy == Policy::Block && !self.is_dropping;
        let deadline = if may_wait {
            begin.saturating_add(self.config.block_limit_ticks)
        } else {
            begin
        };
        let awaited = [AwaitedWord {
            address: self.region.address(self.free.mem().tail()),
            seen: self.free.head(),
            by: AwaitedBy::HostBuffer as u32,
            pair_address: self
                .region
                .address(self.device_line + offset_of!(LaneDevice, ready_tail) as u64),
        }];
        let awaited = Awaited::new("a free buffer", &[], &awaited, deadline);
        let mut polls = 0u32;
        let is_free = loop {
            device.relax(&awaited);
            polls = polls.saturating_add(1);
            let available = self.free.refresh().map_err(|_| DeviceError::CorruptQueue)?;
            if available != 0 {
                break true;
            }
            if device.ticks() >= deadline && !is_mutant("block-unlimited") {
                break false;
            }
        };
        if may_wait {
            let end = device.ticks();
            if polls > 1 || end.saturating_sub(begin) > self.wait_floor_ticks {
                self.note_wait(begin, end);
                self.last_wait = Some((begin, end));
            }
        }
        self.is_dropping = !is_free;
        if !is_free {
            return Ok(false);
        }
        let buffer = self.free.pop().map_err(|_| DeviceError::CorruptQueue)?;
        match buffer {
            Some(buffer) if buffer < self.config.capacity => self.open(buffer),
            _ => return Err(DeviceError::CorruptQueue),
        }
        Ok(true)
    }

    /// Counts a wait for the host.
    pub(crate) fn note_wait(&mut self, begin_ticks: u64, end_ticks: u64) {
        self.waits += 1;
        self.blocked_ticks += end_ticks.saturating_sub(begin_ticks);
        self.store(offset_of!(LaneDevice, waits), self.waits);
        self.store(offset_of!(LaneDevice, blocked_ticks), self.blocked_ticks);
    }

    /// The last wait for a buffer, as (begin, end) ticks, unless it was taken before.
    #[inline]
    pub(crate) fn take_wait(&mut self) -> Option<(u64, u64)> {
        self.last_wait.take()
    }

    fn open(&mut self, buffer: u32) {
        self.buffer = buffer;
        self.count = 0;
        self.next_record = self.config.buffers_offset_bytes + u64::from(buffer) * self.buffer_bytes;
    }

    /// Stores buffer and count in one word, so that the host sees a pair that belongs together.
    #[inline]
    fn store_filling(&self) {
        const _: () = assert!(
            offset_of!(LaneDevice, filling_count) == offset_of!(LaneDevice, filling_buffer) + 4
        );
        let pair = u64::from(self.count) << 32 | u64::from(self.buffer);
        self.store(offset_of!(LaneDevice, filling_buffer), pair);
    }

    #[inline]
    fn store(&self, field: usize, value: u64) {
        self.region.store64(self.device_line + field as u64, value);
    }
}
