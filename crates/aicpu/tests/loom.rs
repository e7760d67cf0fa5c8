//! Commit, rotation and flush against a host that drains at any moment, by the model checker.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p lanescope-aicpu --release --test loom`.
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "functions of a test")]

#[path = "support/mod.rs"]
mod support;

use lanescope_abi::control::ControlHeader;
use lanescope_abi::{Awaited, Barrier, CaptureHeader, Device, LaneConfig, Token};
use lanescope_aicpu::Control;
use lanescope_aicpu::record::{RecordState, Recorder, Task};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering, fence};
use loom::thread;
use std::collections::BTreeMap;
use support::{Setup, TestDevice, independent};

const RUN: u32 = 7;
const RECORDS: u32 = 2;

#[test]
fn the_host_sees_whole_records_in_order_and_no_buffer_is_reused_too_early() {
    loom::model(|| check(true));
}

/// The model must be able to fail: without store barriers the host reads a record that is not there.
#[test]
#[should_panic(expected = "a stale")]
fn missing_store_barriers_are_found() {
    loom::model(|| check(false));
}

/// One lane of one buffer of one record, which device and host hand to and fro.
fn check(has_barriers: bool) {
    let mut setup = Setup::new(independent(0));
    setup.clusters = 1;
    setup.ring_size = 1;
    setup.issue_depth = 1;
    setup.lane.buffers = 1;
    setup.lane.records = 1;
    setup.lane.block_limit_ticks = u64::MAX;
    let (world, header) = setup.build();
    let shared = Arc::new(Shared::new(world, &header, has_barriers));
    let device = Arc::clone(&shared);
    let commits = thread::spawn(move || {
        let address = device.world.world().memory.base();
        // SAFETY: the regions live as long as the device.
        let control = unsafe { Control::attach(&*device, address, setup.chip, 1) };
        let control = control.expect("the layout is right");
        let mut state = RecordState::<1>::new();
        let mut recorder = Recorder::attach(&control, 0, &mut state).expect("the lane is there");
        for number in 1..=RECORDS {
            let task = Task {
                task_id: u64::from(number),
                ..Task::default()
            };
            let token = recorder.dispatched(0, task).expect("nothing is in flight");
            device.publish(token);
            let finished = recorder.commit(0, 0x8000_0000 | token.raw());
            assert_eq!(finished.expect("the token is in flight").len(), 1);
        }
        recorder.flush().expect("the queues are sound");
    });
    // Not this thread, which has seen the first value of every word: after a yield the model shows a
    // thread nothing it has seen before.
    let drains = thread::spawn(move || {
        for number in 1..=RECORDS {
            shared.drain(number);
        }
    });
    drains.join().unwrap();
    commits.join().unwrap();
}

/// Memory of which the words that both sides use are the model checker's.
#[derive(Debug)]
struct Shared {
    world: TestDevice,
    hot: BTreeMap<u64, AtomicU64>,
    has_barriers: bool,
    lane: LaneAddresses,
}

#[derive(Debug)]
struct LaneAddresses {
    device: u64,
    host: u64,
    ready: u64,
    free: u64,
    buffers: u64,
    staging: u64,
}

impl Shared {
    fn new(world: TestDevice, header: &ControlHeader, has_barriers: bool) -> Self {
        let base = header.capture_address;
        let (capture, config): (CaptureHeader, LaneConfig) = {
            let memory = &world.world().memory;
            let capture: CaptureHeader = memory.read(base);
            (capture, memory.read(base + capture.lane_configs.at(0)))
        };
        let lane = LaneAddresses {
            device: base + capture.lane_devices.at(0),
            host: base + capture.lane_hosts.at(0),
            ready: base + config.ready_offset_bytes,
            free: base + config.free_offset_bytes,
            buffers: base + config.buffers_offset_bytes,
            staging: base + capture.staging.at(0),
        };
        // Indices; the entry of each queue; of a record its first and last word.
        let words = [
            lane.device,
            lane.host,
            lane.ready,
            lane.ready + 8,
            lane.free,
            lane.buffers,
            lane.buffers + 16,
        ];
        let hot = words.map(|address| {
            let value = world.world().memory.load64(address);
            (address, AtomicU64::new(value))
        });
        Self {
            world,
            hot: hot.into_iter().collect(),
            has_barriers,
            lane,
        }
    }

    /// What the core does: its slot is the device's alone here.
    fn publish(&self, token: Token) {
        let memory = &self.world.world().memory;
        let raw = u64::from(token.raw());
        memory.store64(self.lane.staging, u64::from(RUN) << 32 | raw);
        memory.store64(self.lane.staging + 56, raw);
    }

    /// What the host does with the next full buffer: tail, entry, buffer, head; then free entry, tail.
    fn drain(&self, number: u32) {
        let number = u64::from(number);
        while self.hot[&self.lane.device].load(Ordering::Acquire) & 0xFFFF_FFFF < number {
            thread::yield_now();
        }
        let entry = self.hot[&self.lane.ready].load(Ordering::Relaxed);
        let sequence = self.hot[&(self.lane.ready + 8)].load(Ordering::Relaxed);
        assert_eq!((entry, sequence), (1 << 32, number - 1), "a stale entry");
        let task_id = self.hot[&self.lane.buffers].load(Ordering::Relaxed);
        let token = self.hot[&(self.lane.buffers + 16)].load(Ordering::Relaxed) & 0xFFFF_FFFF;
        assert_eq!((task_id, token), (number, number + 15), "a stale record");
        // Ready head in the low, free tail in the high half.
        let free_tail = number;
        self.hot[&self.lane.host].store(free_tail << 32 | number, Ordering::Release);
        self.hot[&self.lane.free].store(0, Ordering::Relaxed);
        self.hot[&self.lane.host].store((free_tail + 1) << 32 | number, Ordering::Release);
    }
}

impl Device for Shared {
    unsafe fn load32(&self, address: u64) -> u32 {
        // SAFETY: the half is a word of the memory, so the 8 bytes it lies in are one too.
        let word = unsafe { self.load64(address & !7) };
        u32::try_from(word >> (address % 8 * 8) & 0xFFFF_FFFF).unwrap()
    }

    unsafe fn load64(&self, address: u64) -> u64 {
        match self.hot.get(&address) {
            Some(word) => word.load(Ordering::Relaxed),
            None => self.world.world().memory.load64(address),
        }
    }

    unsafe fn store32(&self, address: u64, value: u32) {
        let shift = address % 8 * 8;
        // SAFETY: the half is a word of the memory, so the 8 bytes it lies in are one too.
        let word = unsafe { self.load64(address & !7) } & !(0xFFFF_FFFF << shift);
        // SAFETY: the 8 bytes are a word of the memory, and both halves have one writer.
        unsafe { self.store64(address & !7, word | u64::from(value) << shift) };
    }

    unsafe fn store64(&self, address: u64, value: u64) {
        match self.hot.get(&address) {
            Some(word) => word.store(value, Ordering::Relaxed),
            None => self.world.world().memory.store64(address, value),
        }
    }

    fn clean(&self, _: u64) {}

    fn invalidate(&self, _: u64) {}

    fn barrier(&self, barrier: Barrier) {
        match barrier {
            Barrier::Load => fence(Ordering::Acquire),
            Barrier::Store if self.has_barriers => fence(Ordering::AcqRel),
            Barrier::Store => {}
        }
    }

    unsafe fn read_reg(&self, _: u64) -> u32 {
        unreachable!("recording reads no register")
    }

    unsafe fn write_reg(&self, _: u64, _: u32) {
        unreachable!("recording writes no register")
    }

    fn ticks(&self) -> u64 {
        0
    }

    fn relax(&self, _: &Awaited<'_>) {
        thread::yield_now();
    }
}
