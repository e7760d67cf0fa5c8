//! Whatever the headers say, nothing outside the regions is touched, and the run ends with a word.

use crate::support::{Setup, chain};
use lanescope_abi::control::{AbiField, ControlHeader, DeviceError};
use lanescope_abi::{CaptureHeader, LaneConfig};
use proptest::prelude::*;
use std::mem::offset_of;

/// The limits of waits: with nonsense there a run may take as long as it says.
const LIMITS: std::ops::Range<u64> = offset_of!(ControlHeader, handshake_limit_ticks) as u64
    ..offset_of!(ControlHeader, task_count) as u64;

/// A length that the program has to believe: it cannot know how much memory there is.
const LENGTHS: [usize; 2] = [
    offset_of!(ControlHeader, control_bytes),
    offset_of!(ControlHeader, capture_bytes),
];

/// Where the register table is; the program cannot know what addresses registers have.
const REGISTERS: std::ops::Range<u64> =
    offset_of!(ControlHeader, registers) as u64..offset_of!(ControlHeader, orders) as u64;

fn value() -> impl Strategy<Value = u32> {
    prop_oneof![
        any::<u32>(),
        0u32..200,
        Just(u32::MAX),
        Just(u32::MAX - 63),
        Just(0x8000_0000),
        (0u32..200).prop_map(|line| line * 64),
    ]
}

fn setup() -> Setup {
    Setup::new(chain(4, 60))
}

lanescope_stress::properties! {
    256 cases;

    #[test]
    fn a_control_header_with_any_two_words_changed(
        changes in prop::collection::vec((0u64..size_of::<ControlHeader>() as u64 / 4, value()), 1..3),
    ) {
        let setup = setup();
        let (device, header) = setup.build();
        for (word, value) in changes {
            let offset = word * 4;
            let is_length = LENGTHS.iter().any(|field| offset / 8 == *field as u64 / 8);
            let is_address = offset / 8 == offset_of!(ControlHeader, capture_address) as u64 / 8;
            let is_believed = is_length || is_address || REGISTERS.contains(&offset);
            if LIMITS.contains(&offset) || is_believed {
                continue;
            }
            let world = device.world();
            world.memory.store32(world.memory.base() + offset, value);
        }
        let outcome = setup.run_on(&device, &header);
        prop_assert_eq!(outcome.results.len(), 1);
    }

    #[test]
    fn a_capture_header_or_lane_with_any_two_words_changed(
        changes in prop::collection::vec((0u64..(size_of::<CaptureHeader>() + size_of::<LaneConfig>()) as u64 / 4, value()), 1..3),
    ) {
        let setup = setup();
        let (device, header) = setup.build();
        let capture: CaptureHeader = device.world().memory.read(header.capture_address);
        // The lane's description follows the header.
        prop_assert_eq!(capture.lane_configs.offset_bytes, size_of::<CaptureHeader>() as u64);
        let block_limit = size_of::<CaptureHeader>() + offset_of!(LaneConfig, block_limit_ticks);
        for (word, value) in changes {
            let offset = word * 4;
            if offset / 8 == block_limit as u64 / 8 {
                continue;
            }
            let world = device.world();
            world.memory.store32(header.capture_address + offset, value);
        }
        // The host in this test trusts what it wrote, so it looks at nothing after the change.
        device.world().host.lanes.clear();
        let results = setup.run_on_raw(&device);
        prop_assert_eq!(results.len(), 1);
    }

    #[test]
    fn a_task_or_core_with_any_words_changed(
        changes in prop::collection::vec((0u32..60, 0u64..16, value()), 1..4),
        cores in prop::collection::vec((0u32..6, 0u64..4, value()), 0..2),
    ) {
        let setup = setup();
        let (device, header) = setup.build();
        {
            let world = device.world();
            let base = world.memory.base();
            for (task, word, value) in changes {
                world.memory.store32(base + header.tasks.at(task) + word * 4, value);
            }
            for (core, word, value) in cores {
                world.memory.store32(base + header.cores.at(core) + word * 4, value);
            }
        }
        let outcome = setup.run_on(&device, &header);
        prop_assert_eq!(outcome.results.len(), 1);
    }
}

#[test]
fn what_differs_is_named_with_the_value_of_this_program() {
    let cases = [
        (offset_of!(ControlHeader, chip), 2, AbiField::Chip, 1),
        (
            offset_of!(ControlHeader, ring_size),
            4,
            AbiField::RingSize,
            2,
        ),
        (
            offset_of!(ControlHeader, issue_depth),
            3,
            AbiField::IssueDepth,
            2,
        ),
        (
            offset_of!(ControlHeader, core_count),
            73,
            AbiField::CoreCount,
            72,
        ),
        (
            offset_of!(ControlHeader, thread_count),
            5,
            AbiField::ThreadCount,
            4,
        ),
    ];
    for (offset, value, field, ours) in cases {
        let setup = setup();
        let (device, header) = setup.build();
        {
            let world = device.world();
            world
                .memory
                .store32(world.memory.base() + offset as u64, value);
        }
        let outcome = setup.run_on(&device, &header);
        let failure = outcome.results[0].expect_err("the header is refused");
        assert_eq!(
            (failure.error, failure.field),
            (DeviceError::AbiMismatch, field)
        );
        assert_eq!(failure.detail, ours);
        let status = &outcome.statuses[0];
        assert_eq!(
            (status.error, status.field),
            (failure.error as u32, field as u32)
        );
        assert_eq!(status.detail, ours, "the status line says it too");
        assert!(outcome.ran.is_empty(), "nothing runs");
    }
}

#[test]
fn a_header_of_another_abi_is_refused_without_writing_anything() {
    let cases = [
        (offset_of!(ControlHeader, magic), AbiField::Magic),
        (offset_of!(ControlHeader, abi_version), AbiField::Version),
        (offset_of!(ControlHeader, abi_hash), AbiField::Hash),
    ];
    for (offset, field) in cases {
        let setup = setup();
        let (device, header) = setup.build();
        {
            let world = device.world();
            world
                .memory
                .store32(world.memory.base() + offset as u64, 99);
        }
        let outcome = setup.run_on(&device, &header);
        let failure = outcome.results[0].expect_err("the header is refused");
        assert_eq!(
            (failure.error, failure.field),
            (DeviceError::AbiMismatch, field)
        );
        assert_eq!(
            outcome.statuses[0].run_id, 0,
            "an unknown layout is not written to"
        );
    }
}
