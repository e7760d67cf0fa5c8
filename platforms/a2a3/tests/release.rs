//! What is given back and when, over a fake driver that is late or refuses: nothing is freed that the
//! device may still use, and nothing stays for good.

#[path = "../../cann-sys/tests/fake/mod.rs"]
mod fake;

use fake::FakeDriver;
use lanescope_a2a3::A2a3Platform;
use lanescope_abi::launch::ProgramKind;
use lanescope_abi::{Chip, ProgramDescriptor};
use lanescope_platform::{
    Device, DeviceAddress, Launch, OpenOptions, Platform, PlatformError, Programs, StreamKind,
};
use std::sync::Arc;
use std::time::Duration;
use zerocopy::IntoBytes;

const LIMIT: Duration = Duration::from_secs(1);
const LATE: u32 = 507_046;

fn open(driver: &FakeDriver) -> Arc<dyn Device> {
    let options = OpenOptions {
        driver_dir: Some(driver.folder().to_path_buf()),
        ..Default::default()
    };
    let device = A2a3Platform.open(&options).expect("opens");
    driver.calls();
    device
}

fn build() -> FakeDriver {
    FakeDriver::build(&["SOC=Ascend910_9382"])
}

fn programs(driver: &FakeDriver) -> Programs {
    let program = |kind, chip, ring_size| {
        let descriptor = ProgramDescriptor::new(kind, chip, ring_size);
        driver.program(descriptor.as_bytes()).into()
    };
    Programs {
        aicpu: program(ProgramKind::Aicpu, Some(Chip::A2a3), 4),
        aicore: program(ProgramKind::Aicore, Some(Chip::A2a3), 4),
        dispatcher: Some(program(ProgramKind::Dispatcher, None, 0)),
    }
}

fn count(calls: &[String], name: &str) -> usize {
    calls.iter().filter(|call| call.starts_with(name)).count()
}

/// A device with a launch under way.
fn launched_device(driver: &FakeDriver) -> Arc<dyn Device> {
    let device = open(driver);
    let programs = programs(driver);
    device.load_programs(&programs).expect("delivered");
    let launch = Launch {
        control: DeviceAddress(0x1000_0000_0000),
        clusters: 1,
        threads: 1,
    };
    device.launch(&launch, &|| ()).expect("launched");
    driver.calls();
    device
}

/// A device with a launch under way, on which a wait has run out.
fn late_device(driver: &FakeDriver) -> Arc<dyn Device> {
    let device = launched_device(driver);
    driver.fail("rtStreamSynchronizeWithTimeout", 0, LATE);
    let error = device.synchronize(StreamKind::Aicpu, LIMIT);
    let error = error.expect_err("a limit that passes");
    assert!(matches!(error, PlatformError::Timeout { .. }), "{error}");
    driver.calls();
    device
}

#[test]
fn memory_of_a_late_program_is_freed_when_it_has_ended_after_all() {
    let driver = build();
    let device = late_device(&driver);
    drop(device.allocate(64).unwrap());
    assert_eq!(count(&driver.calls(), "rtFree"), 0);
    driver.stop_failing();
    device.synchronize(StreamKind::Aicpu, LIMIT).unwrap();
    assert_eq!(count(&driver.calls(), "rtFree"), 1);
    drop(device);
    let calls = driver.calls();
    assert_eq!(calls.last().unwrap(), "rtDeviceReset");
    assert_eq!(count(&calls, "rtDevBinaryUnRegister"), 1);
}

#[test]
fn memory_of_a_program_that_never_ends_is_left_to_the_forced_reset() {
    let driver = build();
    let device = late_device(&driver);
    drop(device.allocate(64).unwrap());
    drop(device);
    let calls = driver.calls();
    for call in ["rtFree", "rtDevBinaryUnRegister", "rtsBinaryUnload"] {
        assert_eq!(count(&calls, call), 0, "{calls:?}");
    }
    assert_eq!(calls.last().unwrap(), "aclrtResetDeviceForce");
    driver.stop_failing();
    assert!(!open(&driver).is_poisoned());
}

/// The echo of an earlier fault, the driver's own time limit, a stream it does not know: none of them
/// says that the program has ended, whether it was waited for before the close or not.
#[test]
fn memory_of_a_program_whose_end_no_wait_tells_is_left_to_the_forced_reset() {
    for code in [507_899, 507_000, 107_003] {
        for is_waited_for in [true, false] {
            let driver = build();
            let device = launched_device(&driver);
            let memory = device.allocate(64).unwrap();
            driver.fail("rtStreamSynchronizeWithTimeout", 0, code);
            if is_waited_for {
                device.synchronize(StreamKind::Aicpu, LIMIT).unwrap_err();
                assert!(device.is_overdue());
            }
            drop(device);
            drop(memory);
            let calls = driver.calls();
            for call in ["rtFree", "rtDevBinaryUnRegister", "rtsBinaryUnload"] {
                assert_eq!(count(&calls, call), 0, "{code}: {calls:?}");
            }
            assert_eq!(calls.last().unwrap(), "aclrtResetDeviceForce");
        }
    }
}

#[test]
fn memory_of_a_program_that_has_failed_is_freed() {
    let driver = build();
    let device = launched_device(&driver);
    let memory = device.allocate(64).unwrap();
    driver.fail("rtStreamSynchronizeWithTimeout", 0, 507_018);
    device.synchronize(StreamKind::Aicpu, LIMIT).unwrap_err();
    assert!(!device.is_overdue());
    drop(memory);
    assert_eq!(count(&driver.calls(), "rtFree"), 1);
}

#[test]
fn a_delivery_that_runs_out_of_time_frees_nothing_and_ends_the_device() {
    let driver = build();
    let device = open(&driver);
    driver.fail("rtStreamSynchronizeWithTimeout", 0, LATE);
    let error = device.load_programs(&programs(&driver)).unwrap_err();
    assert!(matches!(error, PlatformError::Timeout { .. }), "{error}");
    assert!(device.is_poisoned());
    assert_eq!(count(&driver.calls(), "rtFree"), 0);
    drop(device);
    let calls = driver.calls();
    assert_eq!(count(&calls, "rtFree"), 0, "{calls:?}");
    assert_eq!(calls.last().unwrap(), "aclrtResetDeviceForce");
}

#[test]
fn a_count_that_a_thread_could_not_give_back_is_given_back_at_the_end() {
    let driver = build();
    let device = open(&driver);
    driver.fail("rtDeviceReset", 0, 507_899);
    std::thread::scope(|scope| {
        scope.spawn(|| drop(device.attach_thread().unwrap()));
    });
    assert_eq!(count(&driver.calls(), "rtDeviceReset"), 1);
    driver.stop_failing();
    drop(device);
    let calls = driver.calls();
    assert_eq!(count(&calls, "rtDeviceReset"), 2, "{calls:?}");
}

#[test]
fn a_device_that_will_not_be_reset_is_reset_by_force() {
    let driver = build();
    let device = open(&driver);
    driver.fail("rtDeviceReset", 0, 507_899);
    drop(device);
    assert_eq!(driver.calls().last().unwrap(), "aclrtResetDeviceForce");
}

#[test]
fn a_forced_reset_is_tried_three_times() {
    let driver = build();
    let device = open(&driver);
    driver.fail("rtStreamSynchronizeWithTimeout", 0, 507_018);
    device.synchronize(StreamKind::Aicpu, LIMIT).unwrap_err();
    driver.calls();
    driver.fail("aclrtResetDeviceForce", 0, 507_899);
    drop(device);
    let calls = driver.calls();
    assert_eq!(count(&calls, "aclrtResetDeviceForce"), 3, "{calls:?}");
    assert_eq!(calls.last().unwrap(), "rtDeviceReset");
}

#[test]
fn memory_whose_view_the_driver_keeps_is_not_freed_under_it() {
    let driver = build();
    let device = open(&driver);
    let memory = device.allocate(4096).unwrap();
    let mapping = device.map(&memory, 4096).unwrap();
    driver.fail("halHostUnregister", 0, 13);
    drop((mapping, memory));
    assert_eq!(count(&driver.calls(), "rtFree"), 0);
    drop(device);
    assert_eq!(driver.calls().last().unwrap(), "aclrtResetDeviceForce");
}
