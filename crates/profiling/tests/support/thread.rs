//! The device side of a lane, written from the protocol alone.

use super::{pause, step};
use lanescope_abi::capture::{NO_BUFFER, Policy};
use lanescope_abi::{
    CaptureHeader, CommitCounters, LaneConfig, LaneDevice, LaneHost, ReadyEntry, Record, TaskRecord,
};
use std::any::Any;
use std::fmt;
use std::mem::offset_of;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::time::{Duration, Instant};
use zerocopy::{FromBytes, IntoBytes};

/// Device memory as the device reaches it, by offset.
#[derive(Clone)]
pub struct DeviceMemoryView {
    pointer: *mut u8,
    bytes: u64,
    _owner: Arc<dyn Any + Send + Sync>,
}

// SAFETY: the owner keeps the memory alive; it is reached by atomics and by the lane protocol.
unsafe impl Send for DeviceMemoryView {}
// SAFETY: no method gives out a reference to the memory, which the owner keeps alive.
unsafe impl Sync for DeviceMemoryView {}

impl fmt::Debug for DeviceMemoryView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceMemoryView({} bytes)", self.bytes)
    }
}

impl DeviceMemoryView {
    pub fn new(pointer: *mut u8, bytes: u64, owner: Arc<dyn Any + Send + Sync>) -> Self {
        Self {
            pointer,
            bytes,
            _owner: owner,
        }
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn at(&self, offset: u64, bytes: u64) -> *mut u8 {
        assert!(offset + bytes <= self.bytes);
        // SAFETY: inside the allocation, as was just checked.
        unsafe { self.pointer.add(usize::try_from(offset).unwrap()) }
    }

    pub fn word32(&self, offset: u64) -> &AtomicU32 {
        step();
        assert!(offset.is_multiple_of(4));
        // SAFETY: inside the allocation and aligned; everybody reaches it by atomics.
        unsafe { AtomicU32::from_ptr(self.at(offset, 4).cast()) }
    }

    pub fn word64(&self, offset: u64) -> &AtomicU64 {
        step();
        assert!(offset.is_multiple_of(8));
        // SAFETY: inside the allocation and aligned; everybody reaches it by atomics.
        unsafe { AtomicU64::from_ptr(self.at(offset, 8).cast()) }
    }

    pub fn read<T: FromBytes + IntoBytes>(&self, offset: u64) -> T {
        let mut value = T::new_zeroed();
        let bytes = value.as_mut_bytes();
        let from = self.at(offset, bytes.len() as u64);
        // SAFETY: inside the allocation; the value is a local.
        unsafe { std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len()) };
        value
    }

    pub fn write(&self, offset: u64, from: &[u8]) {
        let to = self.at(offset, from.len() as u64);
        // SAFETY: inside the allocation; `from` is another.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
    }

    pub fn address(&self) -> u64 {
        self.pointer.expose_provenance() as u64
    }

    fn write_record<R: Record>(&self, offset: u64, record: &R) {
        let to = self.at(offset, u64::from(R::BYTES)).cast::<R>();
        // SAFETY: inside the allocation and aligned; the buffer is the device's at this time.
        unsafe { to.write(*record) };
    }
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Placed,
    Dropped,
}

/// One AICPU thread with its task lane.
#[derive(Debug)]
pub struct DeviceThread {
    pub memory: DeviceMemoryView,
    pub header: CaptureHeader,
    pub config: LaneConfig,
    pub lane: u32,
    pub device: u64,
    pub host: u64,
    buffer: u32,
    count: u32,
    ready_tail: u32,
    free_head: u32,
    sequence: u64,
    is_dropping: bool,
}

impl DeviceThread {
    /// Begins a run on the lane.
    pub fn attach(memory: DeviceMemoryView, address: u64, lane: u32) -> Self {
        let thread = Self::observe(memory, address, lane);
        thread.store_filling();
        thread
    }

    /// The lane as it is, which nothing is done to.
    pub fn observe(memory: DeviceMemoryView, address: u64, lane: u32) -> Self {
        assert_eq!(address, memory.pointer.addr() as u64);
        let header: CaptureHeader = memory.read(0);
        assert_eq!(header.magic, lanescope_abi::capture::CAPTURE_MAGIC);
        let config: LaneConfig = memory.read(header.lane_configs.at(lane));
        let device = header.lane_devices.at(lane);
        let line: LaneDevice = memory.read(device);
        Self {
            header,
            config,
            lane,
            device,
            host: header.lane_hosts.at(lane),
            buffer: NO_BUFFER,
            count: 0,
            ready_tail: line.ready_tail,
            free_head: line.free_head,
            sequence: line.sequence,
            is_dropping: false,
            memory,
        }
    }

    /// Commits a record by the lane's policy.
    pub fn commit(&mut self, record: &TaskRecord) -> Fate {
        self.commit_of(record.core, record)
    }

    /// Commits a record of the lane's kind that is counted with `core`.
    pub fn commit_of<R: Record>(&mut self, core: u16, record: &R) -> Fate {
        self.count_one(core, offset_of!(CommitCounters, total));
        if self.buffer == NO_BUFFER && !self.take() {
            self.count_one(core, offset_of!(CommitCounters, dropped));
            return Fate::Dropped;
        }
        self.place(record);
        Fate::Placed
    }

    /// Counts a record whose slot did not match.
    pub fn mismatch(&mut self, record: &TaskRecord) {
        self.count_one(record.core, offset_of!(CommitCounters, total));
        self.count_one(record.core, offset_of!(CommitCounters, mismatched));
    }

    /// Puts a record into the buffer without counting it; there must be a free buffer.
    pub fn place<R: Record>(&mut self, record: &R) {
        if self.buffer == NO_BUFFER {
            assert!(self.take());
        }
        let offset = self.buffer_offset() + u64::from(self.count * R::BYTES);
        self.memory.write_record(offset, record);
        self.count += 1;
        fence(Ordering::Release);
        self.store_filling();
        if self.count == self.config.records_per_buffer {
            self.publish();
        }
    }

    /// Hands over what is in the buffer.
    pub fn flush(&mut self) {
        if self.buffer != NO_BUFFER {
            self.publish();
        }
    }

    pub fn publish(&mut self) {
        let entry = ReadyEntry {
            buffer: self.buffer,
            count: self.count,
            sequence: self.sequence,
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.publish_entry(entry);
        self.buffer = NO_BUFFER;
        self.count = 0;
        self.store_filling();
    }

    /// Publishes any entry at all.
    pub fn publish_entry(&mut self, entry: ReadyEntry) {
        let slot = u64::from(self.ready_tail & (self.config.capacity - 1));
        let offset = self.config.ready_offset_bytes + slot * 16;
        let low = u64::from(entry.count) << 32 | u64::from(entry.buffer);
        self.memory.word64(offset).store(low, Ordering::Relaxed);
        self.memory
            .word64(offset + 8)
            .store(entry.sequence, Ordering::Relaxed);
        self.ready_tail = self.ready_tail.wrapping_add(1);
        self.device64(offset_of!(LaneDevice, sequence))
            .store(self.sequence, Ordering::Release);
        self.device32(offset_of!(LaneDevice, ready_tail))
            .store(self.ready_tail, Ordering::Release);
    }

    pub fn is_buffer_free(&self) -> bool {
        self.free_tail() != self.free_head
    }

    /// Whether a record can be placed without a wait.
    pub fn has_room(&self) -> bool {
        self.buffer != NO_BUFFER || self.is_buffer_free()
    }

    /// Where the newest ready entry stands.
    pub fn newest_entry(&self) -> u64 {
        let slot = self.ready_tail.wrapping_sub(1) & (self.config.capacity - 1);
        self.config.ready_offset_bytes + u64::from(slot) * 16
    }

    /// Where the last record of the newest ready entry stands, if the entry is in order.
    pub fn newest_record(&self) -> u64 {
        let entry: ReadyEntry = self.memory.read(self.newest_entry());
        let bytes = u64::from(self.config.records_per_buffer * self.config.record_bytes);
        self.config.buffers_offset_bytes
            + u64::from(entry.buffer) * bytes
            + u64::from(entry.count.saturating_sub(1)) * 64
    }

    /// Waits until the host has taken every ready entry.
    pub fn wait_until_drained(&self) {
        let head = self.host + offset_of!(LaneHost, ready_head) as u64;
        while self.memory.word32(head).load(Ordering::Acquire) != self.ready_tail {
            pause();
        }
    }

    /// Where the lane's buffers are as its words say: in the free queue, being filled, in the ready
    /// queue. For a device that does nothing meanwhile.
    pub fn census(&self) -> [Vec<u32>; 3] {
        let device = |field: usize| self.device32(field).load(Ordering::Acquire);
        let host = |field: usize| {
            let word = self.memory.word32(self.host + field as u64);
            word.load(Ordering::Acquire)
        };
        let entries = |head: u32, tail: u32, offset: u64, entry_bytes: u64| {
            (0..tail.wrapping_sub(head))
                .map(|place| head.wrapping_add(place) & (self.config.capacity - 1))
                .map(|slot| self.memory.word32(offset + u64::from(slot) * entry_bytes))
                .map(|buffer| buffer.load(Ordering::Relaxed))
                .collect()
        };
        let free_head = device(offset_of!(LaneDevice, free_head));
        let free_tail = host(offset_of!(LaneHost, free_tail));
        let ready_head = host(offset_of!(LaneHost, ready_head));
        let ready_tail = device(offset_of!(LaneDevice, ready_tail));
        let filling = device(offset_of!(LaneDevice, filling_buffer));
        [
            entries(free_head, free_tail, self.config.free_offset_bytes, 4),
            Some(filling)
                .filter(|&buffer| buffer != NO_BUFFER)
                .into_iter()
                .collect(),
            entries(ready_head, ready_tail, self.config.ready_offset_bytes, 16),
        ]
    }

    /// The buffer that is being filled.
    pub fn buffer(&self) -> u32 {
        self.buffer
    }

    pub fn device32(&self, field: usize) -> &AtomicU32 {
        self.memory.word32(self.device + field as u64)
    }

    pub fn device64(&self, field: usize) -> &AtomicU64 {
        self.memory.word64(self.device + field as u64)
    }

    fn take(&mut self) -> bool {
        let begin = Instant::now();
        let may_wait = self.config.policy == Policy::Block as u32 && !self.is_dropping;
        let limit = Duration::from_nanos(self.config.block_limit_ticks);
        let mut is_waiting = false;
        while !self.is_buffer_free() {
            if !may_wait || begin.elapsed() >= limit {
                self.is_dropping = true;
                return false;
            }
            if !is_waiting {
                self.device64(offset_of!(LaneDevice, waits))
                    .fetch_add(1, Ordering::Relaxed);
                is_waiting = true;
            }
            pause();
        }
        if is_waiting {
            let ticks = u64::try_from(begin.elapsed().as_nanos()).unwrap();
            self.device64(offset_of!(LaneDevice, blocked_ticks))
                .fetch_add(ticks, Ordering::Relaxed);
        }
        self.is_dropping = false;
        let slot = u64::from(self.free_head & (self.config.capacity - 1));
        let entry = self.config.free_offset_bytes + slot * 4;
        self.buffer = self.memory.word32(entry).load(Ordering::Relaxed);
        assert!(self.buffer < self.config.capacity);
        self.count = 0;
        self.free_head = self.free_head.wrapping_add(1);
        self.device32(offset_of!(LaneDevice, free_head))
            .store(self.free_head, Ordering::Release);
        true
    }

    fn free_tail(&self) -> u32 {
        self.memory
            .word32(self.host + offset_of!(LaneHost, free_tail) as u64)
            .load(Ordering::Acquire)
    }

    fn buffer_offset(&self) -> u64 {
        let bytes = u64::from(self.config.records_per_buffer * self.config.record_bytes);
        self.config.buffers_offset_bytes + u64::from(self.buffer) * bytes
    }

    pub fn count_one(&self, core: u16, field: usize) {
        let item = self.lane * self.header.core_count + u32::from(core);
        let counter = self
            .memory
            .word64(self.header.counters.at(item) + field as u64);
        let count = counter.load(Ordering::Relaxed);
        counter.store(count.wrapping_add(1), Ordering::Release);
    }

    fn store_filling(&self) {
        let pair = u64::from(self.count) << 32 | u64::from(self.buffer);
        self.device64(offset_of!(LaneDevice, filling_buffer))
            .store(pair, Ordering::Release);
    }
}
