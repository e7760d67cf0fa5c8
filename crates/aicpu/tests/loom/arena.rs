//! Room in an arena: taken and written by the device, read and given back by a host, at any moment.

use crate::spawn;
use crate::support::{Graph, Model, Setup};
use lanescope_abi::{
    ArenaMark, Barrier, Checksum, CoreType, Device, LINE_BYTES, LaneDevice, ReadyEntry, Stage,
    TaskTensor, TensorRecord, TensorShape,
};
use lanescope_aicpu::Control;
use lanescope_aicpu::record::{Copied, RecordState, Recorder, Task, TensorOwner};
use lanescope_stress::explore;
use loom::sync::Arc;
use loom::sync::atomic::Ordering;
use loom::thread;
use std::mem::offset_of;
use zerocopy::IntoBytes;

/// A tensor is a line; with its marks it fills the arena.
const TENSOR_BYTES: u64 = LINE_BYTES;
const ARENA_BYTES: u64 = 3 * LINE_BYTES;
const TENSORS: u8 = 2;

/// A lane with a buffer for each tensor, so that nothing but the arena makes the second wait.
fn setup() -> Setup {
    let mut setup = Setup::new(Graph {
        tasks: vec![(CoreType::Aic, Vec::new())],
    });
    setup.clusters = 1;
    setup.only_cores = Some(1);
    setup.ring_size = 1;
    setup.issue_depth = 1;
    setup.level = 0;
    setup.tensor_lane.buffers = u32::from(TENSORS);
    setup.tensor_lane.records = 1;
    setup.tensor_lane.block_limit_ticks = u64::MAX;
    setup.lane = setup.tensor_lane;
    setup.arena_bytes = ARENA_BYTES;
    setup.piece_bytes = 64;
    setup.tensor_memory = (0..TENSORS).flat_map(contents).collect();
    let tensor = |number: u8| TaskTensor {
        tensor: TensorShape {
            address: u64::from(number) * TENSOR_BYTES,
            dtype: 5,
            rank: 1,
            shape: [64, 0, 0, 0, 0],
            strides: [1, 0, 0, 0, 0],
            ..TensorShape::default()
        },
        raw_bytes: TENSOR_BYTES,
        stages: 1,
        ..TaskTensor::default()
    };
    setup.tensors = (0..TENSORS).map(|number| (0, tensor(number))).collect();
    setup
}

fn contents(number: u8) -> [u8; 64] {
    [0x11 * (number + 1); 64]
}

/// Copies all tensors, one after the other, as a thread that has nothing else to do.
fn copy(model: &Model) {
    let address = model.base();
    // SAFETY: the model holds both regions.
    let control = unsafe { Control::attach(model, address, model.setup.chip, 1) };
    let control = control.expect("the layout is right");
    let mut state = RecordState::<1>::new();
    let mut recorder = Recorder::attach(&control, 0, &mut state).expect("the lane is there");
    for number in 0..u32::from(TENSORS) {
        let owner = TensorOwner {
            core: 0,
            token: recorder.next_token(0).expect("nothing is in flight"),
            task: Task::default(),
        };
        let tensor = model.tensor(number);
        let begun = recorder.begin_tensor(&owner, &tensor, Stage::BeforeDispatch);
        begun.expect("the tensor is sound");
        while recorder
            .copy_tensor(&mut 256)
            .expect("the queues are sound")
            != Copied::Whole
        {
            model.wait("room in the arena");
        }
    }
}

/// The record in the ready entry with this number, once it is there.
fn await_record(model: &Model, number: u32) -> TensorRecord {
    let lane = model.lane();
    let tail = offset_of!(LaneDevice, ready_tail);
    while model.load_index(lane.device, tail, Ordering::Acquire) <= number {
        model.wait("a ready entry");
    }
    let entry = lane.ready + u64::from(number) * size_of::<ReadyEntry>() as u64;
    // SAFETY: the first word of a ready entry.
    let buffer = unsafe { model.load32(entry) };
    model.record_at(&lane, buffer, 0)
}

/// Takes what a record speaks of out of the arena, and asserts that it is what the device wrote.
fn check(model: &Model, record: &TensorRecord, number: u8) {
    let line = |place: u64| model.arena_line(record.payload_begin + place * LINE_BYTES);
    let mark = |checksum| ArenaMark {
        sequence: number.into(),
        payload_begin: record.payload_begin,
        payload_bytes: TENSOR_BYTES,
        checksum,
        ..ArenaMark::default()
    };
    let checksum = Checksum::of(&contents(number));
    assert_eq!(record.sequence, u64::from(number), "a stale record");
    assert_eq!(record.checksum, checksum, "a stale record");
    assert_eq!(line(0).as_bytes(), mark(0).as_bytes(), "a stale mark");
    assert_eq!(line(1).as_bytes(), contents(number), "a stale payload");
    assert_eq!(
        line(2).as_bytes(),
        mark(checksum).as_bytes(),
        "a stale mark"
    );
}

/// The host reads each payload whole before the device writes over it, and every line it reads was written
/// before its record was.
#[test]
fn room_goes_to_and_fro() {
    explore("room_goes_to_and_fro", Some(3), || {
        let model = Arc::new(Model::new(setup()).with_host().with_arena(&[]));
        let shared = Arc::clone(&model);
        let copies = spawn(move || copy(&shared));
        let shared = Arc::clone(&model);
        let drains = spawn(move || {
            for number in 0..TENSORS {
                let record = await_record(&shared, number.into());
                check(&shared, &record, number);
                let tail = shared.arena_tail();
                let ahead = tail - record.payload_begin;
                assert_eq!(ahead, ARENA_BYTES, "there is room for one");
                shared.give_room_back(record.payload_begin + ARENA_BYTES);
            }
        });
        drains.join().unwrap();
        copies.join().unwrap();
    });
}

/// A host that has given room back too early may read anything, and the tail tells it so: as long as the tail
/// does not say that the device has gone on, what was read before is the payload.
#[test]
fn a_tail_tells_what_was_overwritten() {
    explore("a_tail_tells_what_was_overwritten", Some(3), || {
        // The first words of the payload.
        let model = Model::new(setup()).with_host().with_arena(&[LINE_BYTES]);
        let model = Arc::new(model);
        let shared = Arc::clone(&model);
        let copies = spawn(move || copy(&shared));
        let shared = Arc::clone(&model);
        let drains = spawn(move || {
            let record = await_record(&shared, 0);
            shared.give_room_back(ARENA_BYTES);
            let word = shared.arena_word(record.payload_begin + LINE_BYTES);
            shared.barrier(Barrier::Load);
            let is_whole = shared.arena_tail() - record.payload_begin <= ARENA_BYTES;
            assert!(
                !is_whole || word == 0x1111_1111,
                "{word:#x} and nobody says so"
            );
            thread::yield_now();
        });
        drains.join().unwrap();
        copies.join().unwrap();
    });
}
