//! Host views of device memory: where they are, what they refuse, and in which order they end.

use lanescope::{Capability, DeviceMemory, MappingExt, PlatformError};
use lanescope_conformance::{CaseResult, Need, Stand, SuiteCase};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub const CASES: &[SuiteCase] = &[
    SuiteCase::new(
        "mapping::a_view_is_as_long_as_asked_and_aligned",
        &[],
        a_view_is_as_long_as_asked_and_aligned,
    ),
    // A chip may map its memory at the device's own address; the simulator never does, so that
    // nobody comes to rely on it.
    SuiteCase::new(
        "mapping::the_host_address_is_another_than_the_devices",
        &[Need::Has(Capability::DriverSettings)],
        the_host_address_is_another_than_the_devices,
    ),
    SuiteCase::new(
        "mapping::ranges_outside_the_view_are_refused",
        &[],
        ranges_outside_the_view_are_refused,
    ),
    SuiteCase::new(
        "mapping::words_outside_the_view_are_a_bug_of_the_caller",
        &[],
        words_outside_the_view_are_a_bug_of_the_caller,
    ),
    SuiteCase::new(
        "mapping::more_than_the_memory_is_not_mapped",
        &[],
        more_than_the_memory_is_not_mapped,
    ),
    SuiteCase::new(
        "mapping::a_view_keeps_memory_and_device",
        &[],
        a_view_keeps_memory_and_device,
    ),
    SuiteCase::new(
        "mapping::a_view_that_ended_can_be_made_again",
        &[],
        a_view_that_ended_can_be_made_again,
    ),
];

fn a_view_is_as_long_as_asked_and_aligned(stand: &Stand) -> CaseResult {
    let device = stand.open()?;
    let memory = device.allocate(3 << 20)?;
    for bytes in [1, 64, 4095, 4096, 4097, 3 << 20] {
        let mapping = device.map(&memory, bytes)?;
        assert_eq!(mapping.bytes(), bytes);
        assert_eq!(mapping.device_address(), memory.address());
        assert_eq!(mapping.pointer().addr() % 64, 0);
        assert_eq!(
            mapping.is_coherent(),
            device.has(Capability::CoherentMapping)
        );
    }
    Ok(())
}

fn the_host_address_is_another_than_the_devices(stand: &Stand) -> CaseResult {
    let device = stand.open()?;
    let memory = device.allocate(1 << 20)?;
    let mapping = device.map(&memory, 1 << 20)?;
    assert_ne!(mapping.pointer().addr() as u64, memory.address().0);
    Ok(())
}

#[expect(
    clippy::reversed_empty_ranges,
    reason = "what a careless caller may pass"
)]
fn ranges_outside_the_view_are_refused(stand: &Stand) -> CaseResult {
    const BYTES: u64 = 8192;
    let device = stand.open()?;
    let memory = device.allocate(2 * BYTES)?;
    let mapping = device.map(&memory, BYTES)?;
    for range in [0..BYTES, 0..0, BYTES..BYTES, 5..6, 64..BYTES] {
        mapping.invalidate(range.clone())?;
        mapping.flush(range)?;
    }
    for range in [
        0..BYTES + 1,
        BYTES..BYTES + 64,
        BYTES + 64..BYTES + 64,
        9..8,
        u64::MAX - 1..u64::MAX,
        0..u64::MAX,
    ] {
        for result in [
            mapping.invalidate(range.clone()),
            mapping.flush(range.clone()),
        ] {
            let error = result.expect_err("outside");
            assert!(matches!(error, PlatformError::Config { .. }), "{error}");
            assert!(error.to_string().contains("8192"), "{range:?}: {error}");
        }
    }
    assert!(!device.is_poisoned());
    Ok(())
}

fn words_outside_the_view_are_a_bug_of_the_caller(stand: &Stand) -> CaseResult {
    const BYTES: u64 = 4096;
    let device = stand.open()?;
    let memory = device.allocate(2 * BYTES)?;
    let mapping = device.map(&memory, BYTES)?;
    mapping.store64(BYTES - 8, 0x0123_4567_89AB_CDEF, Ordering::Release);
    assert_eq!(mapping.load32(BYTES - 4, Ordering::Acquire), 0x0123_4567);
    mapping.store32(0, 7, Ordering::Release);
    assert_eq!(mapping.load64(0, Ordering::Acquire) & 0xFFFF_FFFF, 7);
    let calls: [&dyn Fn(); 6] = [
        &|| {
            mapping.load64(BYTES - 4, Ordering::Acquire);
        },
        &|| {
            mapping.load32(BYTES, Ordering::Acquire);
        },
        &|| {
            mapping.load32(2, Ordering::Acquire);
        },
        &|| mapping.store64(u64::MAX - 7, 0, Ordering::Release),
        &|| mapping.read_bytes(BYTES - 1, &mut [0; 2]),
        &|| mapping.write_bytes(BYTES, &[0]),
    ];
    for (number, call) in calls.iter().enumerate() {
        assert!(
            silently(|| catch_unwind(AssertUnwindSafe(call))).is_err(),
            "access {number}"
        );
    }
    Ok(())
}

/// Without the message of a panic that is expected.
fn silently<T>(action: impl FnOnce() -> T) -> T {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let result = action();
    std::panic::set_hook(hook);
    result
}

fn more_than_the_memory_is_not_mapped(stand: &Stand) -> CaseResult {
    let device = stand.open()?;
    let memory = device.allocate(4096)?;
    for bytes in [0, 4097, 1 << 20, u64::MAX] {
        let error = device.map(&memory, bytes).expect_err("not mapped");
        assert!(matches!(error, PlatformError::Config { .. }), "{error}");
    }
    device.map(&memory, 4096)?.invalidate(0..4096)?;
    Ok(())
}

fn a_view_keeps_memory_and_device(stand: &Stand) -> CaseResult {
    let device = stand.open()?;
    let memory = device.allocate(4096)?;
    let kept: std::sync::Weak<dyn DeviceMemory> = Arc::downgrade(&memory);
    let mapping = device.map(&memory, 4096)?;
    drop(memory);
    drop(device);
    assert!(kept.upgrade().is_some());
    mapping.store64(8, 42, Ordering::Release);
    mapping.flush(0..64)?;
    mapping.invalidate(0..64)?;
    assert_eq!(mapping.load64(8, Ordering::Acquire), 42);
    drop(mapping);
    assert!(kept.upgrade().is_none());
    stand.open()?.allocate(4096)?;
    Ok(())
}

fn a_view_that_ended_can_be_made_again(stand: &Stand) -> CaseResult {
    let device = stand.open()?;
    // A registration that stayed would fill the driver's table.
    let memory = device.allocate(1 << 20)?;
    for round in 0..300u64 {
        let mapping = device.map(&memory, 1 << 20)?;
        mapping.store64(0, round, Ordering::Release);
        mapping.flush(0..8)?;
    }
    let mut word = [0; 8];
    device.copy_to_host(&mut word, memory.address())?;
    assert_eq!(u64::from_le_bytes(word), 299);
    Ok(())
}
