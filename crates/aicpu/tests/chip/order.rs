//! The order of stores: what the host would find if the device died after any one of them.

use crate::support::{HostMode, Setup, TestDevice, independent};
use lanescope_abi::control::TaskTensor;
use lanescope_abi::record::{ArenaMark, TensorRecord, TensorShape};
use lanescope_abi::{
    Awaited, Barrier, CaptureHeader, Checksum, CommitCounters, Device, LaneDevice, ReadyEntry,
    Stage,
};
use lanescope_aicpu::Control;
use lanescope_aicpu::record::{Copied, RecordState, Recorder, Task, TensorOwner};
use std::cell::RefCell;

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
    /// Which lane is that of tensors, where they are looked at instead of tasks.
    tensors: Option<usize>,
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

    fn stored(&self, address: u64) {
        match self.tensors {
            Some(_) => self.check_arena(address),
            None => {
                let found = self.look();
                self.found.borrow_mut().push(found);
            }
        }
    }

    /// No byte of the arena is written before the tail is behind it, and every record that is counted has
    /// its payload.
    fn check_arena(&self, address: u64) {
        let world = self.device.world();
        let (memory, lane) = (
            &world.memory,
            &world.host.lanes[self.tensors.expect("a lane")],
        );
        let arena = self.capture + lane.config.arena_offset_bytes;
        let device: LaneDevice = memory.read(lane.device);
        if (arena..arena + lane.config.arena_bytes).contains(&address) {
            assert!(
                address - arena < device.arena_tail,
                "written before it was taken"
            );
        }
        if device.filling_buffer == u32::MAX {
            return;
        }
        let buffer_bytes = lane.config.records_per_buffer * lane.config.record_bytes;
        let buffer = lane.config.buffers_offset_bytes
            + u64::from(device.filling_buffer) * u64::from(buffer_bytes);
        for number in 0..device.filling_count {
            let at = self.capture + buffer + u64::from(number) * u64::from(TensorRecord::BYTES);
            let record: TensorRecord = memory.read(at);
            let payload = arena + record.payload_begin + 64;
            let end = payload + record.payload_bytes.next_multiple_of(64);
            for (mark, checksum) in [(payload - 64, 0), (end, record.checksum)] {
                let mark: ArenaMark = memory.read(mark);
                assert_eq!((mark.sequence, mark.checksum), (record.sequence, checksum));
                assert_eq!(mark.payload_begin, record.payload_begin);
            }
            let bytes: Vec<u8> = (payload..end).map(|at| memory.read(at)).collect();
            assert_eq!(
                Checksum::of(&bytes),
                record.checksum,
                "a record without its payload"
            );
        }
    }
}

impl Device for Watched {
    unsafe fn load32(&self, address: u64) -> u32 {
        // SAFETY: a word of 4 bytes in an attached region, by this function's own contract.
        unsafe { self.device.load32(address) }
    }

    unsafe fn load64(&self, address: u64) -> u64 {
        // SAFETY: a word of 8 bytes in an attached region, by this function's own contract.
        unsafe { self.device.load64(address) }
    }

    unsafe fn store32(&self, address: u64, value: u32) {
        // SAFETY: a word of 4 bytes in an attached region with this agent as its writer, by this function's own
        // contract.
        unsafe { self.device.store32(address, value) };
        self.stored(address);
    }

    unsafe fn store64(&self, address: u64, value: u64) {
        // SAFETY: a word of 8 bytes in an attached region with this agent as its writer, by this function's own
        // contract.
        unsafe { self.device.store64(address, value) };
        self.stored(address);
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
        tensors: None,
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

#[test]
fn an_arena_is_taken_before_it_is_written_and_a_record_comes_after_its_payload() {
    let mut setup = setup();
    setup.level = 0;
    setup.graph = independent(1);
    setup.tensor_memory = (0..200).collect();
    let tensor = TaskTensor {
        tensor: TensorShape {
            dtype: 5,
            rank: 1,
            shape: [200, 0, 0, 0, 0],
            strides: [1, 0, 0, 0, 0],
            ..TensorShape::default()
        },
        raw_bytes: 200,
        stages: 1,
        ..TaskTensor::default()
    };
    setup.tensors = vec![(0, tensor)];
    let (device, header) = setup.build();
    let watched = Watched {
        device,
        capture: header.capture_address,
        found: RefCell::default(),
        tensors: Some(0),
    };
    let address = watched.device.world().memory.base();
    // SAFETY: the regions live as long as the device.
    let control = unsafe { Control::attach(&watched, address, setup.chip, 1) };
    let control = control.expect("the layout is right");
    let mut state = RecordState::<1>::new();
    let mut recorder = Recorder::attach(&control, 0, &mut state).expect("the lane is there");
    let tensor: TaskTensor = {
        let world = watched.device.world();
        world.memory.read(address + header.tensors.at(0))
    };
    for number in 0..3 {
        let owner = TensorOwner {
            core: 0,
            token: recorder.next_token(0).expect("nothing is in flight"),
            task: Task::default(),
        };
        let begun = recorder.begin_tensor(&owner, &tensor, Stage::BeforeDispatch);
        begun.expect("the tensor is sound");
        let mut pieces = 1;
        while recorder.copy_tensor(&mut 256).expect("there is room") != Copied::Whole {
            pieces += 1;
        }
        assert_eq!(pieces, 1, "a piece has 256 bytes");
        let world = watched.device.world();
        let lane: LaneDevice = world.memory.read(world.host.lanes[0].device);
        assert_eq!(lane.arena_tail, (number + 1) * (256 + 128));
        assert_eq!(u64::from(lane.filling_count), (number + 1) % 4);
    }
}
