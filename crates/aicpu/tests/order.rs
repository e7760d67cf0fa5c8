//! The order of a commit's stores: what the host would find if the device died after any one of them.

mod support;

use lanescope_abi::{
    Awaited, Barrier, CaptureHeader, CommitCounters, Device, LaneDevice, ReadyEntry,
};
use lanescope_aicpu::Control;
use lanescope_aicpu::record::{RecordState, Recorder, Task};
use std::cell::RefCell;
use support::{HostMode, Setup, TestDevice, independent};

const RECORDS: u32 = 3;

/// A lane of four buffers of three records, and a host that never looks.
fn setup() -> Setup {
    let mut setup = Setup::new(independent(0));
    setup.ring_size = 1;
    setup.issue_depth = 1;
    setup.level = 2;
    setup.lane.records = RECORDS;
    setup.lane.block_limit_ticks = 100;
    setup.host = HostMode::Absent;
    setup
}

/// What the host would find.
#[derive(Clone, Copy, Debug)]
struct Found {
    counters: CommitCounters,
    lane: LaneDevice,
    /// Records in buffers, handed over or not.
    collected: u64,
}

/// A device that is looked at after every store.
#[derive(Debug)]
struct Watched {
    device: TestDevice,
    capture: u64,
    found: RefCell<Vec<Found>>,
}

impl Watched {
    fn look(&self) -> Found {
        let world = self.device.world();
        let memory = &world.memory;
        let header: CaptureHeader = memory.read(self.capture);
        let counters = memory.read(self.capture + header.counters.at(0));
        let lane: LaneDevice = memory.read(self.capture + header.lane_devices.at(0));
        let config = &world.host.lanes[0].config;
        let mut collected = 0;
        let mut is_filling = lane.filling_buffer != u32::MAX;
        for slot in 0..lane.ready_tail {
            let address = self.capture + config.ready_offset_bytes + u64::from(slot) * 16;
            let entry: ReadyEntry = memory.read(address);
            collected += u64::from(entry.count);
            // Between tail and line a buffer is in both.
            is_filling &= entry.buffer != lane.filling_buffer;
        }
        if is_filling {
            collected += u64::from(lane.filling_count);
        }
        Found {
            counters,
            lane,
            collected,
        }
    }

    fn stored(&self) {
        let found = self.look();
        self.found.borrow_mut().push(found);
    }
}

impl Device for Watched {
    unsafe fn load32(&self, address: u64) -> u32 {
        // SAFETY: as the caller promises.
        unsafe { self.device.load32(address) }
    }

    unsafe fn load64(&self, address: u64) -> u64 {
        // SAFETY: as the caller promises.
        unsafe { self.device.load64(address) }
    }

    unsafe fn store32(&self, address: u64, value: u32) {
        // SAFETY: as the caller promises.
        unsafe { self.device.store32(address, value) };
        self.stored();
    }

    unsafe fn store64(&self, address: u64, value: u64) {
        // SAFETY: as the caller promises.
        unsafe { self.device.store64(address, value) };
        self.stored();
    }

    fn clean(&self, address: u64) {
        self.device.clean(address);
    }

    fn invalidate(&self, address: u64) {
        self.device.invalidate(address);
    }

    fn barrier(&self, barrier: Barrier) {
        self.device.barrier(barrier);
    }

    unsafe fn read_reg(&self, _: u64) -> u32 {
        unreachable!("recording reads no register")
    }

    unsafe fn write_reg(&self, _: u64, _: u32) {
        unreachable!("recording writes no register")
    }

    fn ticks(&self) -> u64 {
        self.device.ticks()
    }

    fn relax(&self, awaited: &Awaited<'_>) {
        self.device.relax(awaited);
    }
}

/// Commits `count` tokens, those of which `is_published` says no without a slot of theirs; after each
/// commit what the host would find, and what it would have found after every store before.
fn commit(count: u32, is_published: impl Fn(u32) -> bool) -> Vec<(Found, Vec<Found>)> {
    let setup = setup();
    let (device, header) = setup.build();
    let capture = header.capture_address;
    let watched = Watched {
        device,
        capture,
        found: RefCell::default(),
    };
    let (address, staging) = {
        let world = watched.device.world();
        let capture_header: CaptureHeader = world.memory.read(capture);
        (world.memory.base(), capture + capture_header.staging.at(0))
    };
    // SAFETY: the regions live as long as the device.
    let control = unsafe { Control::attach(&watched, address, setup.chip, 1) };
    let control = control.expect("the layout is right");
    let mut state = RecordState::<1>::new();
    let mut recorder = Recorder::attach(&control, 0, &mut state).expect("the lane is there");
    let mut commits = Vec::new();
    for number in 0..count {
        let token = recorder
            .dispatched(0, Task::default())
            .expect("nothing is in flight");
        if is_published(number) {
            let world = watched.device.world();
            let raw = u64::from(token.raw());
            world
                .memory
                .store64(staging, u64::from(header.run_id) << 32 | raw);
            world.memory.store64(staging + 56, raw);
        }
        watched.found.borrow_mut().clear();
        recorder
            .commit(0, 0x8000_0000 | token.raw())
            .expect("the token is in flight");
        commits.push((watched.look(), watched.found.take()));
    }
    commits
}

#[test]
fn an_attempt_is_counted_before_its_fate() {
    // Four buffers of three records, then nothing is free; every fifth slot is not published.
    let commits = commit(20, |number| number % 5 != 4);
    let mut fates = (0, 0, 0);
    for (number, (after, before)) in (1u64..).zip(&commits) {
        assert_eq!(after.counters.total, number);
        for found in before.iter().chain([after]) {
            let CommitCounters {
                total,
                mismatched,
                dropped,
                ..
            } = found.counters;
            let accounted = found.collected + mismatched + dropped[0];
            assert!(
                (accounted..=accounted + 1).contains(&total),
                "attempt {number}: {found:?}"
            );
        }
        fates = (
            after.collected,
            after.counters.mismatched,
            after.counters.dropped[0],
        );
        assert_eq!(fates.0 + fates.1 + fates.2, number, "{after:?}");
    }
    assert_eq!(fates, (12, 4, 4));
}

#[test]
fn a_full_buffer_goes_at_once_and_the_next_is_taken_when_needed() {
    for (number, (after, _)) in (1u32..).zip(commit(10, |_| true)) {
        let (full, taken) = (number / RECORDS, number.div_ceil(RECORDS));
        assert_eq!(
            (after.lane.ready_tail, after.lane.free_head),
            (full, taken),
            "after {number} records"
        );
    }
}
