//! Device memory: sizes, alignment, contents, refusals, and that freed memory is given again.

use lanescope::{Device, DeviceMemory, PlatformError};
use lanescope_conformance::{CaseResult, Stand, SuiteCase};
use std::sync::Arc;

pub const CASES: &[SuiteCase] = &[
    SuiteCase::new(
        "memory::every_size_is_aligned_and_apart_from_others",
        &[],
        every_size_is_aligned_and_apart_from_others,
    ),
    SuiteCase::new(
        "memory::bytes_come_back_as_they_went",
        &[],
        bytes_come_back_as_they_went,
    ),
    SuiteCase::new(
        "memory::no_bytes_are_refused_and_copied_in_no_time",
        &[],
        no_bytes_are_refused_and_copied_in_no_time,
    ),
    SuiteCase::new(
        "memory::more_than_there_is_is_refused_and_harms_nothing",
        &[],
        more_than_there_is_is_refused_and_harms_nothing,
    ),
    SuiteCase::new(
        "memory::a_huge_allocation_has_its_first_and_last_byte",
        &[],
        a_huge_allocation_has_its_first_and_last_byte,
    ),
    SuiteCase::new(
        "memory::blocks_are_freed_in_any_order_and_the_rest_stays",
        &[],
        blocks_are_freed_in_any_order_and_the_rest_stays,
    ),
    SuiteCase::new(
        "memory::freed_memory_is_given_again",
        &[],
        freed_memory_is_given_again,
    ),
];

const PAGE_BYTES: u64 = 4096;
const LARGE_PAGE_BYTES: u64 = 2 << 20;
/// Far more than any device has.
const TOO_MUCH_BYTES: u64 = 1 << 50;

/// Bytes that differ from place to place and from seed to seed.
pub fn pattern(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..bytes).map(next).collect()
}

fn every_size_is_aligned_and_apart_from_others(stand: &Stand) -> CaseResult {
    let device = stand.open()?;
    let sizes = [
        1,
        31,
        32,
        33,
        511,
        512,
        513,
        PAGE_BYTES - 1,
        PAGE_BYTES,
        PAGE_BYTES + 1,
        1 << 20,
        (1 << 20) + 1,
        LARGE_PAGE_BYTES,
        LARGE_PAGE_BYTES + 1,
    ];
    let mut ranges = Vec::new();
    let mut held = Vec::new();
    for bytes in sizes {
        let memory = device.allocate(bytes)?;
        let align = if bytes < PAGE_BYTES { 512 } else { PAGE_BYTES };
        let address = memory.address().0;
        assert!(memory.bytes() >= bytes, "{memory:?} for {bytes} bytes");
        assert_eq!(address % align, 0, "{memory:?} for {bytes} bytes");
        ranges.push((address, address + memory.bytes()));
        held.push(memory);
    }
    ranges.sort_unstable();
    for pair in ranges.windows(2) {
        assert!(pair[0].1 <= pair[1].0, "{pair:x?} overlap");
    }
    Ok(())
}

fn bytes_come_back_as_they_went(stand: &Stand) -> CaseResult {
    let device = stand.open()?;
    for bytes in [1, 63, 64, 65, 4096, 100_003, (3 << 20) + 5] {
        let memory = device.allocate(bytes as u64)?;
        let written = pattern(bytes as u64, bytes);
        device.copy_to_device(memory.address(), &written)?;
        assert_eq!(read(&*device, &memory, 0, bytes)?, written, "{bytes} bytes");
        // A part, from an odd address to an odd address.
        if bytes > 40 {
            let part = read(&*device, &memory, 17, bytes - 38)?;
            assert_eq!(part, written[17..bytes - 21], "a part of {bytes} bytes");
            let change = pattern(1, 5);
            device.copy_to_device(memory.address().offset(9), &change)?;
            let mut expected = written.clone();
            expected[9..14].copy_from_slice(&change);
            assert_eq!(read(&*device, &memory, 0, bytes)?, expected, "{bytes}");
        }
    }
    Ok(())
}

fn no_bytes_are_refused_and_copied_in_no_time(stand: &Stand) -> CaseResult {
    let device = stand.open()?;
    let error = device.allocate(0).expect_err("no bytes");
    assert!(matches!(error, PlatformError::Config { .. }), "{error}");
    let memory = device.allocate(64)?;
    device.copy_to_device(memory.address(), &[])?;
    device.copy_to_host(&mut [], memory.address())?;
    assert!(!device.is_poisoned());
    Ok(())
}

fn more_than_there_is_is_refused_and_harms_nothing(stand: &Stand) -> CaseResult {
    let device = stand.open()?;
    let before = device.allocate(PAGE_BYTES)?;
    device.copy_to_device(before.address(), &pattern(3, 4096))?;
    let error = device.allocate(TOO_MUCH_BYTES).expect_err("too much");
    let PlatformError::Driver { call, code, .. } = &error else {
        panic!("expected the driver's refusal, got {error}");
    };
    assert!(*call == "rtMalloc" && *code != 0, "{error}");
    let error = device.allocate(u64::MAX).expect_err("far too much");
    assert!(matches!(error, PlatformError::Config { .. }), "{error}");
    assert!(!device.is_poisoned());
    let after = device.allocate(PAGE_BYTES)?;
    assert_ne!(after.address(), before.address());
    assert_eq!(read(&*device, &before, 0, 4096)?, pattern(3, 4096));
    Ok(())
}

fn a_huge_allocation_has_its_first_and_last_byte(stand: &Stand) -> CaseResult {
    const HUGE_BYTES: u64 = 1 << 30;
    let device = stand.open()?;
    let memory = device.allocate(HUGE_BYTES)?;
    let places = [0, HUGE_BYTES / 2 - 3, HUGE_BYTES - 8];
    for place in places {
        device.copy_to_device(memory.address().offset(place), &place.to_le_bytes())?;
    }
    for place in places {
        let mut word = [0; 8];
        device.copy_to_host(&mut word, memory.address().offset(place))?;
        assert_eq!(u64::from_le_bytes(word), place);
    }
    Ok(())
}

fn blocks_are_freed_in_any_order_and_the_rest_stays(stand: &Stand) -> CaseResult {
    const BYTES: usize = 10_000;
    let device = stand.open()?;
    for order in [
        [0, 1, 2, 3, 4, 5],
        [5, 4, 3, 2, 1, 0],
        [1, 3, 5, 0, 2, 4],
        [2, 5, 0, 4, 1, 3],
    ] {
        let mut blocks: Vec<Option<Arc<dyn DeviceMemory>>> = Vec::new();
        for seed in 0..order.len() as u64 {
            let memory = device.allocate(BYTES as u64)?;
            device.copy_to_device(memory.address(), &pattern(seed, BYTES))?;
            blocks.push(Some(memory));
        }
        for freed in order {
            blocks[freed] = None;
            // What is given next may lie where the freed block was, and nowhere else.
            let next = device.allocate(BYTES as u64)?;
            device.copy_to_device(next.address(), &[0xEE; BYTES])?;
            for (seed, memory) in (0..).zip(&blocks) {
                let Some(memory) = memory else { continue };
                let found = read(&*device, memory, 0, BYTES)?;
                assert_eq!(found, pattern(seed, BYTES), "block {seed}, {order:?}");
            }
        }
    }
    Ok(())
}

fn freed_memory_is_given_again(stand: &Stand) -> CaseResult {
    const BYTES: u64 = 1 << 30;
    // 256 GiB in all: more than any device has.
    let device = stand.open()?;
    for round in 0..256 {
        let memory = device.allocate(BYTES);
        memory.map_err(|error| format!("round {round}: {error}"))?;
    }
    Ok(())
}

fn read(
    device: &dyn Device,
    memory: &Arc<dyn DeviceMemory>,
    offset: u64,
    bytes: usize,
) -> Result<Vec<u8>, PlatformError> {
    let mut found = vec![0; bytes];
    device.copy_to_host(&mut found, memory.address().offset(offset))?;
    Ok(found)
}
