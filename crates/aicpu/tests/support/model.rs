//! The regions under the model checker: one core, one AICPU thread, a host.
//!
//! Three sorts of words. An *index* says what may be used: the checker tries every value that a load
//! could return. *Data* is guarded by an index: the checker ends the test when two accesses to it are
//! not ordered by what guards them. Everything else was written before the threads began.
//!
//! # Ordering
//!
//! A store barrier is a release fence and a load barrier an acquire fence, not more: what the device
//! interface promises. Cleans and invalidates do nothing; the simulator shows what they are for.

use super::{Setup, TestDevice, window};
use lanescope_abi::control::{ControlHeader, CoreAnswer, CoreOrder, HostLine};
use lanescope_abi::{
    Awaited, Barrier, CaptureHeader, CommitCounters, Device, LaneConfig, LaneDevice, LaneHost,
    Record, TaskRecord, TaskTensor,
};
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::collections::HashMap;
use std::mem::offset_of;
use std::ops::Range;

/// Shared memory and the registers of core 0.
#[derive(Debug)]
pub struct Model {
    pub setup: Setup,
    pub header: ControlHeader,
    world: TestDevice,
    indices: HashMap<u64, AtomicU32>,
    /// Indices of 8 bytes.
    pairs: HashMap<u64, AtomicU64>,
    data: HashMap<u64, UnsafeCell<u32>>,
    registers: [(u64, AtomicU32); 2],
    waits: std::sync::atomic::AtomicU32,
}

/// A model in which the AICPU thread waits more often than this never ends.
const MOST_WAITS: u32 = 500;

// SAFETY: the checker runs one thread at a time, and watches every access to a cell.
unsafe impl Send for Model {}
// SAFETY: the checker runs one thread at a time, and watches every access to a cell.
unsafe impl Sync for Model {}

/// Where the words of a lane are.
#[derive(Clone, Copy, Debug)]
pub struct LanePlaces {
    pub device: u64,
    pub host: u64,
    pub ready: u64,
    pub free: u64,
    pub buffers: u64,
    pub staging: u64,
    pub slot_lines: u32,
    pub counters: u64,
    pub record_bytes: u64,
    pub arena: u64,
    pub arena_bytes: u64,
}

impl Model {
    /// Both regions, every word of them as the host leaves it.
    pub fn new(setup: Setup) -> Self {
        let (world, header) = setup.build();
        let registers = &setup.chip.info().registers;
        let register = |offset: u32| (window(0) + u64::from(offset), AtomicU32::new(0));
        let registers = [register(registers.data_main_base), register(registers.cond)];
        Self {
            setup,
            header,
            world,
            indices: HashMap::new(),
            pairs: HashMap::new(),
            data: HashMap::new(),
            registers,
            waits: std::sync::atomic::AtomicU32::new(0),
        }
    }

    /// Makes indices of what AICPU thread and core tell each other, and data of what these guard.
    pub fn with_core(mut self) -> Self {
        let (order, answer) = (self.order(0), self.answer(0));
        for index in [
            self.order(offset_of!(CoreOrder, ready_run)),
            self.order(offset_of!(CoreOrder, registers_run)),
            self.answer(offset_of!(CoreAnswer, answer_run)),
            self.answer(offset_of!(CoreAnswer, exited_run)),
            self.answer(offset_of!(CoreAnswer, error)),
            self.answer(offset_of!(CoreAnswer, token)),
            self.abort(),
        ] {
            self.index(index);
        }
        self.data(order..order + 64);
        self.data(answer..answer + 64);
        let payloads = self.base() + self.header.payloads.at(0);
        let slots = u64::from(self.header.ring_size) * 64;
        self.data(payloads..payloads + slots);
        if self.header.capture_address != 0 {
            let lane = self.lane();
            self.data(lane.staging..lane.staging + slots * u64::from(lane.slot_lines));
        }
        self
    }

    /// Makes indices of what AICPU thread and host tell each other, and data of what these guard.
    pub fn with_host(mut self) -> Self {
        for index in (0u32..).take(self.setup.kinds().len()) {
            self.guard_lane(index);
        }
        self
    }

    /// Makes data of the first lane's arena, and indices of the words with which room in it is taken and given
    /// back; of `loose` as well, which are places in the arena that a host may read at any time.
    pub fn with_arena(mut self, loose: &[u64]) -> Self {
        let lane = self.lane();
        self.pair(lane.device + offset_of!(LaneDevice, arena_tail) as u64);
        self.pair(lane.host + offset_of!(LaneHost, arena_head) as u64);
        for place in loose {
            self.index(lane.arena + place);
        }
        self.data(lane.arena..lane.arena + lane.arena_bytes);
        self
    }

    fn guard_lane(&mut self, index: u32) {
        let (lane, shape) = (self.lane_at(index), self.setup.lane);
        let (buffers, records) = (u64::from(shape.buffers), u64::from(shape.records));
        for (line, field) in [
            (lane.device, offset_of!(LaneDevice, ready_tail)),
            (lane.device, offset_of!(LaneDevice, free_head)),
            (lane.device, offset_of!(LaneDevice, sequence)),
            (lane.host, offset_of!(LaneHost, ready_head)),
            (lane.host, offset_of!(LaneHost, free_tail)),
        ] {
            self.index(line + field as u64);
        }
        self.pair(lane.device + offset_of!(LaneDevice, filling_buffer) as u64);
        self.data(lane.ready..lane.ready + buffers * 16);
        self.data(lane.free..lane.free + buffers * 4);
        self.data(lane.buffers..lane.buffers + buffers * records * lane.record_bytes);
        self.data(lane.counters..lane.counters + 64);
    }

    fn index(&mut self, address: u64) {
        let value = self.world.world().memory.load32(address);
        self.indices.insert(address, AtomicU32::new(value));
    }

    fn pair(&mut self, address: u64) {
        let value = self.world.world().memory.load64(address);
        self.pairs.insert(address, AtomicU64::new(value));
    }

    /// Makes data of the words that are no indices.
    fn data(&mut self, range: Range<u64>) {
        for address in range.step_by(4) {
            if !self.indices.contains_key(&address) {
                let value = self.world.world().memory.load32(address);
                self.data.insert(address, UnsafeCell::new(value));
            }
        }
    }

    pub fn base(&self) -> u64 {
        self.world.world().memory.base()
    }

    /// A word of the order line of core 0.
    pub fn order(&self, field: usize) -> u64 {
        self.base() + self.header.orders.at(0) + field as u64
    }

    /// A word of the answer line of core 0.
    pub fn answer(&self, field: usize) -> u64 {
        self.base() + self.header.answers.at(0) + field as u64
    }

    /// The word by which the host ends a run.
    pub fn abort(&self) -> u64 {
        self.base() + self.header.host.offset_bytes + offset_of!(HostLine, abort_run) as u64
    }

    /// The first lane: that of tasks, unless there is none.
    pub fn lane(&self) -> LanePlaces {
        self.lane_at(0)
    }

    pub fn lane_at(&self, index: u32) -> LanePlaces {
        let base = self.header.capture_address;
        let world = self.world.world();
        let capture: CaptureHeader = world.memory.read(base);
        let config: LaneConfig = world.memory.read(base + capture.lane_configs.at(index));
        LanePlaces {
            device: base + capture.lane_devices.at(index),
            host: base + capture.lane_hosts.at(index),
            ready: base + config.ready_offset_bytes,
            free: base + config.free_offset_bytes,
            buffers: base + config.buffers_offset_bytes,
            staging: base + capture.staging.at(0),
            slot_lines: capture.slot_lines,
            counters: base + capture.counters.at(index * capture.core_count),
            record_bytes: u64::from(config.record_bytes),
            arena: base + config.arena_offset_bytes,
            arena_bytes: config.arena_bytes,
        }
    }

    /// Index `field` of a line, by an ordinary atomic of the host.
    pub fn load_index(&self, line: u64, field: usize, ordering: Ordering) -> u32 {
        self.indices[&(line + field as u64)].load(ordering)
    }

    /// As [`Model::load_index`].
    pub fn store_index(&self, line: u64, field: usize, value: u32, ordering: Ordering) {
        self.indices[&(line + field as u64)].store(value, ordering);
    }

    /// The buffer that is being filled and the records in it.
    pub fn filling(&self) -> (u32, u32) {
        let word = self.lane().device + offset_of!(LaneDevice, filling_buffer) as u64;
        let pair = self.pairs[&word].load(Ordering::Relaxed);
        (half(pair, 0), half(pair, 4))
    }

    /// A record of the first lane.
    pub fn record(&self, buffer: u32, place: u32) -> TaskRecord {
        self.record_at(&self.lane(), buffer, place)
    }

    /// A record of any lane.
    pub fn record_at<R: Record>(&self, lane: &LanePlaces, buffer: u32, place: u32) -> R {
        let place = u64::from(buffer * self.setup.lane.records + place);
        let address = lane.buffers + place * lane.record_bytes;
        let mut record = R::new_zeroed();
        for (address, bytes) in (address..)
            .step_by(8)
            .zip(record.as_mut_bytes().chunks_mut(8))
        {
            // SAFETY: a word of a record of the lane.
            let word = unsafe { self.load64(address) };
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        record
    }

    /// The records of all buffers of the first lane that were handed over; none of them has been returned.
    pub fn records(&self) -> Vec<TaskRecord> {
        self.records_at(0)
    }

    /// As [`Model::records`], of any lane.
    pub fn records_at<R: Record>(&self, index: u32) -> Vec<R> {
        let lane = self.lane_at(index);
        let tail = lane.device + offset_of!(LaneDevice, ready_tail) as u64;
        // SAFETY: a word of the lane's line.
        let tail = unsafe { self.load32(tail) };
        let mut records = Vec::new();
        for entry in (lane.ready..).step_by(16).take(tail as usize) {
            // SAFETY: a word of a ready entry.
            let pair = unsafe { self.load64(entry) };
            let (buffer, count) = (half(pair, 0), half(pair, 4));
            records.extend((0..count).map(|place| self.record_at::<R>(&lane, buffer, place)));
        }
        records
    }

    /// A tensor that is to be recorded.
    pub fn tensor(&self, number: u32) -> TaskTensor {
        let at = self.base() + self.header.tensors.at(number);
        self.world.world().memory.read(at)
    }

    /// A line of the first lane's arena, by position.
    pub fn arena_line(&self, position: u64) -> [u64; 8] {
        let lane = self.lane();
        let line = lane.arena + position % lane.arena_bytes;
        std::array::from_fn(|word| {
            // SAFETY: a word of a line of the arena.
            unsafe { self.load64(line + word as u64 * 8) }
        })
    }

    /// A word of the first lane's arena, by position.
    pub fn arena_word(&self, position: u64) -> u32 {
        let lane = self.lane();
        // SAFETY: a word of the arena.
        unsafe { self.load32(lane.arena + position % lane.arena_bytes) }
    }

    /// How far the device has taken room.
    pub fn arena_tail(&self) -> u64 {
        let word = self.lane().device + offset_of!(LaneDevice, arena_tail) as u64;
        self.pairs[&word].load(Ordering::Relaxed)
    }

    /// Gives room back, as a host does that has read it.
    pub fn give_room_back(&self, position: u64) {
        let word = self.lane().host + offset_of!(LaneHost, arena_head) as u64;
        self.pairs[&word].store(position, Ordering::Release);
    }

    /// Lets another thread go on; a model that does this too often never ends.
    pub fn wait(&self, name: &str) {
        let waits = self
            .waits
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        assert!(waits < MOST_WAITS, "waits for ever for {name}");
        loom::thread::yield_now();
    }

    /// The counters of the first lane and core 0.
    pub fn counters(&self) -> CommitCounters {
        self.counters_at(0)
    }

    /// The counters of any lane and core 0.
    pub fn counters_at(&self, index: u32) -> CommitCounters {
        let address = self.lane_at(index).counters;
        let words: [u64; 8] = std::array::from_fn(|word| {
            // SAFETY: a word of a line of counters.
            unsafe { self.load64(address + word as u64 * 8) }
        });
        zerocopy::transmute!(words)
    }

    fn register(&self, address: u64) -> Option<&AtomicU32> {
        let register = self.registers.iter().find(|(place, _)| *place == address);
        register.map(|(_, register)| register)
    }

    /// `DATA_MAIN_BASE`, as core 0 reads it.
    pub fn data_main_base(&self) -> u32 {
        self.registers[0].1.load(Ordering::Relaxed)
    }

    /// Writes `COND`, as core 0 does.
    pub fn write_cond(&self, value: u32) {
        self.registers[1].1.store(value, Ordering::Relaxed);
    }
}

impl Device for Model {
    unsafe fn load32(&self, address: u64) -> u32 {
        if let Some(index) = self.indices.get(&address) {
            return index.load(Ordering::Relaxed);
        }
        if let Some(pair) = self.pairs.get(&(address & !7)) {
            return half(pair.load(Ordering::Relaxed), address);
        }
        match self.data.get(&address) {
            // SAFETY: the pointer is the cell's own, and the checker allows the access.
            Some(cell) => cell.with(|word| unsafe { *word }),
            None => self.world.world().memory.load32(address),
        }
    }

    unsafe fn load64(&self, address: u64) -> u64 {
        if let Some(pair) = self.pairs.get(&address) {
            return pair.load(Ordering::Relaxed);
        }
        // SAFETY: a half of the caller's word.
        let low = unsafe { self.load32(address) };
        // SAFETY: the other half.
        let high = unsafe { self.load32(address + 4) };
        u64::from(high) << 32 | u64::from(low)
    }

    unsafe fn store32(&self, address: u64, value: u32) {
        assert!(!self.pairs.contains_key(&(address & !7)), "stored whole");
        if let Some(index) = self.indices.get(&address) {
            return index.store(value, Ordering::Relaxed);
        }
        match self.data.get(&address) {
            // SAFETY: the pointer is the cell's own, and the checker allows the access.
            Some(cell) => cell.with_mut(|word| unsafe { *word = value }),
            None => self.world.world().memory.store32(address, value),
        }
    }

    unsafe fn store64(&self, address: u64, value: u64) {
        if let Some(pair) = self.pairs.get(&address) {
            return pair.store(value, Ordering::Relaxed);
        }
        // SAFETY: a half of the caller's word.
        unsafe { self.store32(address, half(value, 0)) };
        // SAFETY: the other half.
        unsafe { self.store32(address + 4, half(value, 4)) };
    }

    fn clean(&self, _: u64) {}

    fn invalidate(&self, _: u64) {}

    fn barrier(&self, barrier: Barrier) {
        match barrier {
            Barrier::Load => fence(Ordering::Acquire),
            Barrier::Store => fence(Ordering::Release),
        }
    }

    unsafe fn read_reg(&self, address: u64) -> u32 {
        let register = self.register(address);
        register.map_or(0, |register| register.load(Ordering::Relaxed))
    }

    unsafe fn write_reg(&self, address: u64, value: u32) {
        if let Some(register) = self.register(address) {
            register.store(value, Ordering::Relaxed);
        }
    }

    fn ticks(&self) -> u64 {
        0
    }

    fn relax(&self, awaited: &Awaited<'_>) {
        self.wait(awaited.name());
    }
}

#[expect(clippy::cast_possible_truncation, reason = "half a word is wanted")]
fn half(word: u64, address: u64) -> u32 {
    (word >> (address % 8 * 8)) as u32
}
