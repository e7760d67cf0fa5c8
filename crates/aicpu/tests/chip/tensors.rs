//! Tensors of tasks: what is copied, when, and what happens when there is no room.

use crate::support::{Fault, HostMode, Outcome, Setup, chain, independent};
use lanescope_abi::capture::Policy;
use lanescope_abi::control::{DeviceError, TaskTensor};
use lanescope_abi::record::{MAX_RANK, TensorRecord, TensorShape};
use lanescope_abi::{Chip, CommitCounters, Dtype, Kind, Role, Stage};
use lanescope_stress::{Effort, Tried};

const BEFORE: u32 = 1;
const AFTER: u32 = 2;

/// Bytes that tell their place.
fn memory(bytes: usize) -> Vec<u8> {
    let byte = |at: usize| at.wrapping_mul(0x9E37_79B9).to_le_bytes()[2];
    (0..bytes).map(byte).collect()
}

/// A vector of bytes at an offset of the tensor memory.
fn vector(offset: u64, length: u32, stages: u32) -> TaskTensor {
    TaskTensor {
        tensor: TensorShape {
            address: offset,
            dtype: Dtype::Uint8 as u8,
            rank: 1,
            shape: [length, 0, 0, 0, 0],
            raw_shape: [length, 0, 0, 0, 0],
            strides: [1, 0, 0, 0, 0],
            ..TensorShape::default()
        },
        raw_bytes: u64::from(length),
        stages,
        ..TaskTensor::default()
    }
}

/// The logical tensor, element by element.
fn logical(memory: &[u8], tensor: &TaskTensor) -> Vec<u8> {
    let shape = &tensor.tensor;
    let rank = usize::from(shape.rank);
    let element = Dtype::from_raw(shape.dtype).expect("a type").bytes() as usize;
    let count: usize = shape.shape[..rank]
        .iter()
        .map(|length| *length as usize)
        .product();
    let mut bytes = Vec::new();
    for number in 0..count {
        let (mut rest, mut place) = (number, 0);
        for dimension in (0..rank).rev() {
            let index = rest % shape.shape[dimension] as usize;
            rest /= shape.shape[dimension] as usize;
            let offset = shape.offsets[dimension] as usize;
            place += (offset + index) * shape.strides[dimension] as usize;
        }
        let at = usize::try_from(shape.address).expect("an offset") + place * element;
        bytes.extend(&memory[at..at + element]);
    }
    bytes
}

fn counters(outcome: &Outcome) -> CommitCounters {
    outcome.by_kind[&Kind::TENSOR]
}

fn next(seed: &mut u64, below: u64) -> u64 {
    *seed = seed
        .wrapping_mul(0x5851_F42D_4C95_7F2D)
        .wrapping_add(0x1405_7B7E_F767_814F);
    (*seed >> 33) % below
}

/// A tensor of any type, rank and strides, broadcast, transposed, strided or a window.
fn any_tensor(seed: &mut u64, memory_bytes: u64) -> TaskTensor {
    let mut draw = |below: u64| u32::try_from(next(seed, below)).expect("small");
    let dtype = Dtype::ALL[draw(11) as usize];
    let rank = draw(6) as usize;
    let mut shape = TensorShape {
        dtype: dtype as u8,
        role: Role::Inout as u8,
        rank: u8::try_from(rank).expect("at most 5"),
        arg_index: 3,
        ..TensorShape::default()
    };
    let mut stride = 1;
    let style = draw(4);
    for dimension in (0..rank).rev() {
        let (length, offset) = (draw(6), draw(3));
        shape.shape[dimension] = if draw(12) == 0 { 0 } else { length.max(1) };
        shape.raw_shape[dimension] = length + offset + draw(3);
        shape.offsets[dimension] = offset;
        shape.strides[dimension] = match style {
            0 if draw(2) == 0 => 0,
            1 => stride * (1 + draw(2)),
            _ => stride,
        };
        stride *= match style {
            // Nothing lies between.
            2 => shape.shape[dimension].max(1),
            _ => shape.raw_shape[dimension].max(1),
        };
    }
    if style == 3 && rank > 1 {
        shape.strides.swap(0, rank - 1);
    }
    let (mut last, element) = (0u64, u64::from(dtype.bytes()));
    for dimension in 0..rank {
        let index = shape.offsets[dimension] + shape.shape[dimension].saturating_sub(1);
        last += u64::from(index) * u64::from(shape.strides[dimension]);
    }
    let raw_bytes = (last + 1) * element;
    if raw_bytes > memory_bytes {
        return any_tensor(seed, memory_bytes);
    }
    // Any address will do.
    shape.address = next(seed, memory_bytes - raw_bytes + 1);
    TaskTensor {
        tensor: shape,
        raw_bytes,
        stages: BEFORE | AFTER,
        ..TaskTensor::default()
    }
}

#[test]
fn every_view_of_every_type_is_told_as_it_is() {
    let effort = Effort::new("every_view_of_every_type_is_told_as_it_is", 40);
    while let Some(first_seed) = effort.next_seed() {
        let mut seed = first_seed;
        let mut setup = Setup::new(chain(4, 24));
        setup.chip = Chip::ALL[usize::try_from(next(&mut seed, 2)).unwrap()];
        setup.tensor_memory = memory(40_000);
        for task in 0..24 {
            for _ in 0..next(&mut seed, 4) {
                let tensor = any_tensor(&mut seed, 40_000);
                setup.tensors.push((task, tensor));
            }
        }
        setup.arena_bytes = 64 * (64 + next(&mut seed, 2000));
        setup.piece_bytes = 1 + u32::try_from(next(&mut seed, 700)).unwrap();
        if setup.tensors.is_empty() {
            continue;
        }
        let outcome = setup.run();
        outcome.assert_exact(&setup);
        let total = setup.tensors.len() * 2;
        assert_eq!(counters(&outcome).total, total as u64);
        assert_eq!(outcome.tensors.len(), total);
        for (task, tensor) in &setup.tensors {
            let expected = logical(&setup.tensor_memory, tensor);
            for stage in Stage::ALL {
                let is_its = |(record, _): &&(TensorRecord, Vec<u8>)| {
                    let mut shape = tensor.tensor;
                    shape.address = record.tensor.address;
                    record.task_id == 1000 + u64::from(*task)
                        && record.stage == stage as u8
                        && record.tensor == shape
                };
                let mut told = outcome.tensors.iter().filter(is_its);
                let fits = (setup.arena_bytes - 128).min(expected.len() as u64);
                let is_told = told.any(|(record, payload)| {
                    record.tensor_bytes == expected.len() as u64
                        && record.is_truncated == u8::from(fits < expected.len() as u64)
                        && payload.len() as u64 == fits
                        && expected.starts_with(payload)
                });
                assert!(is_told, "seed {first_seed}: {stage:?} of {tensor:?}");
            }
        }
        effort.add(Tried::Runs, 1);
    }
}

/// One word that every kernel of a chain adds one to, recorded on both sides of each.
#[test]
fn inputs_are_as_the_kernel_finds_them_and_outputs_before_anybody_else_has_them() {
    for (chip, depth) in [(Chip::A2a3, 1), (Chip::A2a3, 2), (Chip::A5, 2)] {
        let mut setup = Setup::new(chain(1, 40));
        setup.chip = chip;
        setup.issue_depth = depth;
        setup.threads = 2;
        setup.tensor_memory = vec![0; 64];
        for task in 0..40 {
            setup.tensors.push((task, vector(0, 8, BEFORE | AFTER)));
        }
        let (device, header) = setup.build();
        let address = {
            let world = device.world();
            let tensor = world.memory.base() + header.tensors.at(0);
            world.memory.read::<TaskTensor>(tensor).tensor.address
        };
        for core in &mut device.world().cores {
            core.bumps = Some(address);
        }
        let outcome = setup.run_on(&device, &header);
        outcome.assert_exact(&setup);
        assert_eq!(outcome.tensors.len(), 80);
        for (record, payload) in &outcome.tensors {
            let seen = u64::from_le_bytes(payload.as_slice().try_into().unwrap());
            let expected = record.task_id - 1000 + u64::from(record.stage);
            assert_eq!(seen, expected, "{record:?}");
            let ran = outcome.ran.iter().find(|ran| ran.task_id == record.task_id);
            let ran = ran.expect("it ran");
            assert_eq!(
                (u32::from(record.core), record.token),
                (ran.core, ran.token)
            );
            if record.stage == Stage::BeforeDispatch as u8 {
                assert!(record.ticks < ran.begin);
            } else {
                assert!(record.ticks > ran.end);
            }
        }
    }
}

/// 60 tasks with a tensor of 640 bytes each, in an arena for three of them.
fn crowded(policy: Policy) -> Setup {
    let mut setup = Setup::new(independent(60));
    setup.tensor_memory = memory(60 * 640);
    for task in 0..60 {
        let tensor = vector(u64::from(task) * 640, 640, BEFORE);
        setup.tensors.push((task, tensor));
    }
    setup.tensor_lane.policy = policy;
    setup.tensor_lane.records = 64;
    setup.arena_bytes = 3 * (640 + 128) + 320;
    setup
}

fn assert_payloads(setup: &Setup, outcome: &Outcome) {
    for (record, payload) in &outcome.tensors {
        let (_, tensor) = &setup.tensors[usize::try_from(record.task_id - 1000).expect("a task")];
        let expected = logical(&setup.tensor_memory, tensor);
        assert!(expected.starts_with(payload));
        assert_eq!(payload.len() < expected.len(), record.is_truncated != 0);
    }
}

#[test]
fn room_comes_back_although_no_buffer_is_full() {
    let setup = crowded(Policy::Block);
    let outcome = setup.run();
    outcome.assert_exact(&setup);
    assert_eq!(outcome.tensors.len(), 60);
    assert_payloads(&setup, &outcome);
}

#[test]
fn block_waits_for_room_while_tasks_go_on_and_then_drops() {
    let mut setup = crowded(Policy::Block);
    setup.host = HostMode::Absent;
    setup.tensor_lane.block_limit_ticks = 20_000;
    setup.level = 0;
    // One task of the other core type, whose tensor comes late, and many without any.
    let outcome = setup.run();
    assert_eq!(outcome.results, [Ok(())]);
    assert_eq!(outcome.tensors.len(), 3);
    let counters = counters(&outcome);
    assert_eq!((counters.total, counters.dropped[1]), (60, 57));
    assert_payloads(&setup, &outcome);
    let lane = outcome.lanes.last().expect("the tensor lane");
    assert_eq!(lane.waits, 1, "then it drops at once");
    assert!((20_000..40_000).contains(&lane.blocked_ticks), "{lane:?}");
}

#[test]
fn drop_newest_keeps_what_is_in_the_arena() {
    let mut setup = crowded(Policy::DropNewest);
    setup.host = HostMode::After(100);
    let outcome = setup.run();
    assert_eq!(outcome.results, [Ok(())]);
    let counters = counters(&outcome);
    let collected = outcome.tensors.len() as u64;
    assert!(counters.dropped[1] > 0 && collected > 3, "{counters:?}");
    assert_eq!(counters.total, collected + counters.dropped[1]);
    assert_eq!(outcome.lanes.last().map(|lane| lane.waits), Some(0));
    assert_payloads(&setup, &outcome);
}

#[test]
fn truncate_keeps_what_fits_and_says_so() {
    let mut setup = crowded(Policy::Truncate);
    setup.host = HostMode::Absent;
    let outcome = setup.run();
    assert_eq!(outcome.results, [Ok(())]);
    let lengths: Vec<usize> = outcome
        .tensors
        .iter()
        .map(|(_, payload)| payload.len())
        .collect();
    assert_eq!(
        lengths,
        [640, 640, 640, 192],
        "320 bytes less two marks are left"
    );
    assert_eq!(counters(&outcome).dropped[1], 56);
    assert_payloads(&setup, &outcome);
}

#[test]
fn a_tensor_longer_than_the_arena_is_cut_and_flagged() {
    let mut setup = Setup::new(independent(4));
    setup.tensor_memory = memory(10_000);
    setup.tensors = vec![
        (0, vector(0, 100, BEFORE)),
        (1, vector(0, 10_000, BEFORE | AFTER)),
        (2, vector(0, 100, AFTER)),
    ];
    let outcome = setup.run();
    outcome.assert_exact(&setup);
    assert_eq!(outcome.tensors.len(), 4);
    for (record, payload) in &outcome.tensors {
        let is_long = record.task_id == 1001;
        assert_eq!(record.is_truncated != 0, is_long);
        assert_eq!(payload.len(), if is_long { 4096 - 128 } else { 100 });
        assert_eq!(payload[..], setup.tensor_memory[..payload.len()]);
    }
}

/// While the input of one task is copied, tasks of other cores come and go, and no limit runs out.
#[test]
fn a_long_copy_holds_nobody_up_and_is_no_standstill() {
    let mut setup = Setup::new(independent(60));
    setup.tensor_memory = memory(1 << 20);
    setup.arena_bytes = 2 << 20;
    setup.piece_bytes = 4096;
    setup.tensors = vec![(0, vector(0, 1 << 20, BEFORE))];
    let outcome = setup.run();
    outcome.assert_exact(&setup);
    let (record, payload) = &outcome.tensors[0];
    assert_eq!(*payload, setup.tensor_memory);
    let held = outcome.records.iter().find(|task| task.task_id == 1000);
    let held = held.expect("it was dispatched in the end");
    assert!(
        held.dispatch_ticks - record.ticks > 200_000,
        "the scheduler's limit"
    );
    let between = |task: &&lanescope_abi::TaskRecord| {
        task.dispatch_ticks > record.ticks && task.finish_ticks < held.dispatch_ticks
    };
    let others = outcome.records.iter().filter(between).count();
    assert!(others > 40, "{others} tasks while it was copied");
}

/// A thread that had nothing to do, then copied for longer than the scheduler's limit, and again has
/// nothing to do while no task has finished.
#[test]
fn a_long_copy_between_two_waits_is_no_standstill() {
    let mut setup = Setup::new(independent(2));
    setup.tensor_memory = memory(1 << 20);
    setup.arena_bytes = (1 << 20) + 128;
    setup.host = HostMode::After(60);
    setup.tensors = vec![(0, vector(0, 64, BEFORE)), (1, vector(0, 1 << 20, BEFORE))];
    let outcome = setup.run();
    outcome.assert_exact(&setup);
    assert_eq!(outcome.tensors.len(), 2);
    let lane = outcome.lanes.last().expect("the tensor lane");
    assert_eq!(lane.waits, 1, "for the room of the first");
    let held = outcome.records.iter().find(|task| task.task_id == 1001);
    let copied_ticks = held.expect("it ran").dispatch_ticks - outcome.tensors[1].0.ticks;
    assert!(copied_ticks > 200_000, "the scheduler's limit");
}

#[test]
fn a_copy_that_is_broken_off_leaves_nothing() {
    let mut setup = Setup::new(independent(60));
    setup.tensor_memory = memory(100_000);
    setup.arena_bytes = 1 << 20;
    setup.piece_bytes = 64;
    setup.tensors = vec![(0, vector(0, 64, BEFORE)), (1, vector(0, 100_000, BEFORE))];
    setup.faults = vec![(3, Fault::Cond(4, 5000))];
    let outcome = setup.run();
    assert_eq!(outcome.first_failure().error, DeviceError::BadCond as u32);
    assert_eq!(outcome.tensors.len(), 1);
    assert_eq!(counters(&outcome).total, 1);
    let lane = outcome.lanes.last().expect("the tensor lane");
    assert_eq!(lane.arena_tail, 192, "the room of one entry");
}

#[test]
fn a_tensor_that_cannot_be_is_refused() {
    let right = vector(0, 64, BEFORE);
    let wrong: [fn(&mut TaskTensor); 8] = [
        |tensor| tensor.tensor.rank = 6,
        |tensor| tensor.tensor.dtype = 11,
        |tensor| tensor.tensor.role = 3,
        |tensor| tensor.stages = 5,
        |tensor| tensor.raw_bytes = 63,
        |tensor| tensor.tensor.offsets[0] = 1,
        |tensor| tensor.tensor.strides[0] = u32::MAX,
        |tensor| tensor.tensor.shape = [u32::MAX; MAX_RANK],
    ];
    for (number, change) in wrong.into_iter().enumerate() {
        let mut tensor = right;
        change(&mut tensor);
        tensor.tensor.rank += u8::from(number == 7) * 4;
        let mut setup = Setup::new(independent(10));
        setup.tensor_memory = memory(64);
        setup.tensors = vec![(3, tensor)];
        let outcome = setup.run();
        let error = outcome.first_failure().error;
        assert_eq!(error, DeviceError::BadGraph as u32, "change {number}");
        assert!(outcome.tensors.is_empty());
    }
}
