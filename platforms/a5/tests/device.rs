//! The device over a fake driver: what of memory is copied, and which windows are mapped.

#[path = "../../cann-sys/tests/fake/mod.rs"]
mod fake;

use fake::FakeDriver;
use lanescope_a5::A5Platform;
use lanescope_abi::Chip;
use lanescope_platform::{
    Capability, Device, MappingExt, OpenOptions, Platform, PlatformError, Result,
};
use std::sync::Arc;
use std::sync::atomic::Ordering;

fn open(driver: &FakeDriver) -> Result<Arc<dyn Device>> {
    A5Platform.open(&OpenOptions {
        driver_dir: Some(driver.folder().to_path_buf()),
        ..Default::default()
    })
}

#[test]
fn exactly_the_asked_range_is_copied() {
    let driver = FakeDriver::build(&["SOC=Ascend950"]);
    let device = open(&driver).unwrap();
    assert_eq!(device.info().chip, Chip::A5);
    assert_eq!(
        (device.info().clusters, device.info().aicpu_threads),
        (36, 6)
    );
    assert!(!device.has(Capability::CoherentMapping));
    let memory = device.allocate(8192).unwrap();
    device.copy_to_device(memory.address(), &[7; 8192]).unwrap();
    let mapping = device.map(&memory, 8192).unwrap();
    driver.calls();

    mapping.invalidate(64..192).unwrap();
    assert_eq!(mapping.load32(64, Ordering::Acquire), 0x0707_0707);
    assert_eq!(mapping.load32(0, Ordering::Acquire), 0);
    mapping.store64(128, 5, Ordering::Release);
    mapping.flush(128..136).unwrap();
    mapping.flush(8192..8192).unwrap();
    assert_eq!(driver.calls(), ["rtMemcpy 2 128", "rtMemcpy 1 8"]);
    assert_eq!(mapping.copied_bytes(), 136);

    let mut bytes = [0; 16];
    device
        .copy_to_host(&mut bytes, memory.address().offset(128))
        .unwrap();
    assert_eq!(bytes[..8], 5_u64.to_le_bytes());
    assert_eq!(bytes[8..], [7; 8]);
    assert!(mapping.invalidate(8000..8193).is_err());
}

#[test]
fn two_threads_that_pull_the_same_lines_copy_one_after_the_other() {
    let driver = FakeDriver::build(&["SOC=Ascend950", "SLOW_COPIES"]);
    let device = open(&driver).unwrap();
    let memory = device.allocate(4096).unwrap();
    let mapping = device.map(&memory, 4096).unwrap();
    driver.calls();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..50 {
                    mapping.invalidate(64..192).unwrap();
                    mapping.flush(256..320).unwrap();
                }
            });
        }
    });
    let calls = driver.calls();
    let copies = calls.iter().filter(|call| call.starts_with("rtMemcpy"));
    assert_eq!(copies.count(), 200);
    assert!(!calls.iter().any(|call| call == "two copies at once"));
}

#[test]
fn a_window_that_is_refused_gives_back_those_before_it() {
    let driver = FakeDriver::build(&["SOC=Ascend950"]);
    let device = open(&driver).unwrap();
    driver.fail("halResMap", 5, 62);
    driver.calls();
    let PlatformError::Driver {
        call,
        code,
        name,
        hint,
        ..
    } = device.register_table().unwrap_err()
    else {
        panic!("expected the driver's refusal");
    };
    assert_eq!((call, code, name), ("halResMap", 62, "NO_PROCESS"));
    assert!(hint.contains("reset"), "{hint}");
    let unmapped = driver
        .calls()
        .iter()
        .filter(|call| *call == "halResUnmap")
        .count();
    assert_eq!(unmapped, 5);
    driver.stop_failing();
    let table = device.register_table().unwrap();
    assert_eq!(table.len(), 108);
    assert_eq!(table[19], (1 << 28) + 0x20_0000);
    // The counters lie in the windows.
    assert_eq!(device.pmu_register_table().unwrap(), Vec::<u64>::new());
    drop(device);
    let calls = driver.calls();
    assert_eq!(
        calls.iter().filter(|call| *call == "halResUnmap").count(),
        36
    );
    assert_eq!(calls.last().unwrap(), "rtDeviceReset");
}
