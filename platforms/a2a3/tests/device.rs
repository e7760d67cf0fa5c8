//! The device over a fake driver: what is called, in which order, and what an error leaves behind.

#[path = "../../cann-sys/tests/fake/mod.rs"]
mod fake;

use fake::FakeDriver;
use lanescope_a2a3::A2a3Platform;
use lanescope_abi::launch::ProgramKind;
use lanescope_abi::{Chip, ProgramDescriptor};
use lanescope_platform::{
    Capability, Device, DeviceAddress, Launch, LaunchForm, OpenOptions, Platform, PlatformError,
    Programs, Result, StreamKind,
};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;
use zerocopy::IntoBytes;

const SOC: &str = "SOC=Ascend910_9382";
const LIMIT: Duration = Duration::from_secs(1);

fn open(driver: &FakeDriver) -> Result<Arc<dyn Device>> {
    A2a3Platform.open(&OpenOptions {
        driver_dir: Some(driver.folder().to_path_buf()),
        ..Default::default()
    })
}

/// Programs that the device accepts, with a change to the descriptor of the AICore program.
fn programs(driver: &FakeDriver, change: impl Fn(&mut ProgramDescriptor)) -> Programs {
    let program = |kind, chip, ring_size| ProgramDescriptor::new(kind, chip, ring_size);
    let mut aicore = program(ProgramKind::Aicore, Some(Chip::A2a3), 4);
    change(&mut aicore);
    let aicpu = program(ProgramKind::Aicpu, Some(Chip::A2a3), 4);
    let dispatcher = program(ProgramKind::Dispatcher, None, 0);
    Programs {
        aicpu: driver.program(aicpu.as_bytes()).into(),
        aicore: driver.program(aicore.as_bytes()).into(),
        dispatcher: Some(driver.program(dispatcher.as_bytes()).into()),
    }
}

fn count(calls: &[String], name: &str) -> usize {
    calls.iter().filter(|call| call.starts_with(name)).count()
}

fn position(calls: &[String], name: &str) -> usize {
    calls
        .iter()
        .position(|call| call.starts_with(name))
        .unwrap_or_else(|| panic!("no {name} in {calls:?}"))
}

#[test]
fn opening_tells_what_the_device_has() {
    let driver = FakeDriver::build(&[SOC]);
    let device = open(&driver).unwrap();
    let info = device.info();
    assert_eq!(info.chip, Chip::A2a3);
    assert_eq!(info.clusters, 24);
    assert_eq!(info.aicpu_threads, 4);
    assert_eq!(info.launch_form, LaunchForm::Classic);
    assert!(device.has(Capability::CoherentMapping));
    assert!(device.has(Capability::ForcedReset));
    assert!(!device.has(Capability::LaunchByName));
    assert!(!device.has(Capability::DriverSettings));
}

#[test]
fn a_device_that_opens_half_way_leaves_nothing() {
    for (call, skip) in [
        ("rtSetDevice", 0),
        ("rtStreamCreate", 0),
        ("rtStreamCreate", 1),
    ] {
        let driver = FakeDriver::build(&[SOC]);
        driver.fail(call, skip, 207_005);
        let PlatformError::Driver {
            call: failed,
            code,
            name,
            detail,
            ..
        } = open(&driver).unwrap_err()
        else {
            panic!("expected the driver's refusal");
        };
        assert_eq!((failed, code), (call, 207_005));
        assert_eq!(name, "RESOURCE_ALLOC_FAIL");
        assert_eq!(detail, "the fake says so; on two lines");
        let calls = driver.calls();
        let is_set = usize::from(call != "rtSetDevice");
        assert_eq!(count(&calls, "rtDeviceReset"), is_set, "{calls:?}");
        assert_eq!(count(&calls, "rtStreamDestroy"), skip as usize, "{calls:?}");
        if is_set == 1 {
            assert_eq!(calls.last().unwrap(), "rtDeviceReset");
        }
    }
}

#[test]
fn the_device_is_reset_last_whoever_drops_what_first() {
    let driver = FakeDriver::build(&[SOC]);
    let device = open(&driver).unwrap();
    let memory = device.allocate(10_000).unwrap();
    let mapping = device.map(&memory, 5000).unwrap();
    device.load_programs(&programs(&driver, |_| ())).unwrap();
    drop(memory);
    drop(device);
    drop(mapping);
    let calls = driver.calls();
    let order = [
        "rtStreamDestroy",
        "rtDevBinaryUnRegister",
        "halHostUnregister",
        "rtDeviceReset",
    ]
    .map(|call| position(&calls, call));
    assert!(order.is_sorted(), "{calls:?}");
    assert_eq!(
        calls[calls.len() - 3..],
        ["halHostUnregister", "rtFree", "rtDeviceReset"]
    );
    assert_eq!(count(&calls, "rtMalloc"), count(&calls, "rtFree"));
    assert_eq!(count(&calls, "rtSetDevice"), count(&calls, "rtDeviceReset"));
    assert_eq!(count(&calls, "halHostRegister 2 0"), 1);
}

#[test]
fn a_mapping_that_is_refused_leaves_its_memory_usable() {
    let driver = FakeDriver::build(&[SOC]);
    let device = open(&driver).unwrap();
    let memory = device.allocate(4096).unwrap();
    driver.fail("halHostRegister", 0, 8);
    let error = device.map(&memory, 4096).unwrap_err();
    assert!(error.to_string().contains("PARA_ERROR"), "{error}");
    driver.stop_failing();
    let mapping = device.map(&memory, 4096).unwrap();
    assert!(mapping.invalidate(0..4096).is_ok());
    assert!(mapping.flush(0..4097).is_err());
    assert!(device.map(&memory, 4097).is_err());
    drop((mapping, memory));
    assert!(device.allocate(0).is_err());
}

#[test]
fn threads_are_counted_once_each() {
    let driver = FakeDriver::build(&[SOC]);
    let device = open(&driver).unwrap();
    driver.calls();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let outer = device.attach_thread().unwrap();
            let inner = device.attach_thread().unwrap();
            device
                .copy_to_device(device.allocate(64).unwrap().address(), &[1; 64])
                .unwrap();
            drop(outer);
            device.allocate(64).unwrap();
            drop(inner);
        });
    });
    let calls = driver.calls();
    assert_eq!(count(&calls, "rtSetDevice"), 1, "{calls:?}");
    assert_eq!(calls.last().unwrap(), "rtDeviceReset");
    // A thread without an attachment is bound for each call.
    std::thread::scope(|scope| {
        scope.spawn(|| device.allocate(64).unwrap());
    });
    assert_eq!(
        driver.calls(),
        ["rtSetDevice", "rtMalloc", "rtDeviceReset", "rtFree"]
    );
    // The thread that opened the device stays bound, and so does its own attachment's end.
    drop(device.attach_thread().unwrap());
    assert!(driver.calls().is_empty());
    drop(device);
    assert_eq!(
        driver.calls(),
        ["rtStreamDestroy", "rtStreamDestroy", "rtDeviceReset"]
    );
}

type Change = fn(&mut ProgramDescriptor);

#[test]
fn programs_of_another_build_are_refused_before_anything_is_delivered() {
    let driver = FakeDriver::build(&[SOC]);
    let device = open(&driver).unwrap();
    driver.calls();
    let cases: [(Change, &str, &str); 4] = [
        (|program| program.abi_hash ^= 1, "ABI hash", "0x"),
        (|program| program.abi_version = 99, "ABI version", "99"),
        (|program| program.chip = Chip::A5 as u32, "chip", "a5"),
        (|program| program.ring_size = 8, "ring size", "8"),
    ];
    for (change, expected_field, expected_value) in cases {
        let error = device
            .load_programs(&programs(&driver, change))
            .unwrap_err();
        let PlatformError::AbiMismatch {
            program,
            field,
            host,
            device,
        } = error
        else {
            panic!("expected `AbiMismatch`, got {error}");
        };
        assert_eq!((program, field), ("AICore program", expected_field));
        assert!(device.starts_with(expected_value), "{device}");
        assert_ne!(host, device);
    }
    let mut wrong = programs(&driver, |_| ());
    wrong.aicore = Arc::clone(&wrong.aicpu);
    assert!(matches!(
        device.load_programs(&wrong),
        Err(PlatformError::BadProgram { .. })
    ));
    wrong.aicpu = b"text"[..].into();
    assert!(matches!(
        device.load_programs(&wrong),
        Err(PlatformError::BadProgram { .. })
    ));
    assert!(driver.calls().is_empty());
}

#[test]
fn the_classic_form_delivers_and_launches_by_one_call() {
    let driver = FakeDriver::build(&[SOC]);
    let device = open(&driver).unwrap();
    let programs = programs(&driver, |_| ());
    device.load_programs(&programs).unwrap();
    device.load_programs(&programs).unwrap();
    let launch = Launch {
        control: DeviceAddress(0x1000_0000_0000),
        clusters: 24,
        threads: 3,
    };
    device
        .launch(&launch, &|| panic!("nothing was refused"))
        .unwrap();
    device.synchronize(StreamKind::Aicpu, LIMIT).unwrap();
    device.synchronize(StreamKind::Aicore, LIMIT).unwrap();
    let calls = driver.calls();
    let launches: Vec<&str> = calls
        .iter()
        .map(String::as_str)
        .filter(|call| call.contains("Launch") || call.contains("Register"))
        .collect();
    assert_eq!(
        launches,
        [
            "rtRegisterAllKernel 43554245",
            "rtAicpuKernelLaunchExWithArgs 5 DynTileFwkKernelServerInit \
             libaicpu_extend_kernels.so 1 208",
            "rtKernelLaunchWithHandleV2 0 24 8 1",
            "rtAicpuKernelLaunchExWithArgs 5 DynTileFwkKernelServer libaicpu_extend_kernels.so 3 208",
        ]
    );
    for launch in [
        Launch {
            clusters: 25,
            ..launch
        },
        Launch {
            threads: 0,
            ..launch
        },
    ] {
        assert!(matches!(
            device.launch(&launch, &|| ()),
            Err(PlatformError::Config { .. })
        ));
    }
}

#[test]
fn the_form_by_name_delivers_the_dispatcher_and_names_the_program() {
    let driver = FakeDriver::build(&[SOC, "BY_NAME"]);
    let device = open(&driver).unwrap();
    assert_eq!(device.info().launch_form, LaunchForm::ByName);
    let programs = programs(&driver, |_| ());
    assert!(
        device
            .load_programs(&Programs {
                dispatcher: None,
                ..programs.clone()
            })
            .is_err()
    );
    device.load_programs(&programs).unwrap();
    let launch = Launch {
        control: DeviceAddress(0x1000_0000_0000),
        clusters: 2,
        threads: 4,
    };
    device
        .launch(&launch, &|| panic!("nothing was refused"))
        .unwrap();
    drop(device);
    let calls = driver.calls();
    assert_eq!(count(&calls, "rtsBinaryLoadFromFile 3 0"), 1);
    assert_eq!(count(&calls, "rtsFuncGetByName lanescope_aicpu_run_"), 1);
    assert_eq!(count(&calls, "rtsLaunchCpuKernel 4 112"), 1);
    assert!(position(&calls, "rtsBinaryUnload") < position(&calls, "rtDeviceReset"));
    assert_eq!(count(&calls, "rtMalloc"), count(&calls, "rtFree"));
    assert_eq!(
        count(&calls, "rtRegisterAllKernel"),
        count(&calls, "rtDevBinaryUnRegister")
    );
}

#[test]
fn a_refused_aicpu_launch_brings_the_cores_back_first() {
    let driver = FakeDriver::build(&[SOC]);
    let device = open(&driver).unwrap();
    device.load_programs(&programs(&driver, |_| ())).unwrap();
    driver.calls();
    driver.fail("rtAicpuKernelLaunchExWithArgs", 0, 107_000);
    let launch = Launch {
        control: DeviceAddress(0x1000_0000_0000),
        clusters: 1,
        threads: 1,
    };
    let is_aborted = Cell::new(false);
    let error = device
        .launch(&launch, &|| is_aborted.set(true))
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("rtAicpuKernelLaunchExWithArgs failed with 107000")
    );
    assert!(is_aborted.get());
    let calls = driver.calls();
    assert_eq!(calls.last().unwrap(), "rtStreamSynchronizeWithTimeout");
    assert!(!device.is_poisoned());
    // A refused AICore launch leaves nothing to bring back.
    driver.fail("rtKernelLaunchWithHandleV2", 0, 207_001);
    assert!(device.launch(&launch, &|| panic!("nothing runs")).is_err());
    assert_eq!(count(&driver.calls(), "rtAicpuKernelLaunchExWithArgs"), 0);
}

#[test]
fn the_first_failure_is_kept_and_the_device_reset_by_force() {
    let driver = FakeDriver::build(&[SOC]);
    let device = open(&driver).unwrap();
    let memory = device.allocate(64).unwrap();
    driver.fail("rtStreamSynchronizeWithTimeout", 0, 507_018);
    let error = device.synchronize(StreamKind::Aicpu, LIMIT).unwrap_err();
    assert!(error.to_string().contains("AICPU_EXCEPTION"), "{error}");
    assert!(error.hint().is_some());
    assert!(device.is_poisoned());
    driver.calls();
    let PlatformError::DevicePoisoned { device: id, cause } = device.allocate(64).unwrap_err()
    else {
        panic!("expected `DevicePoisoned`");
    };
    assert_eq!(id, 0);
    assert!(cause.contains("507018"), "{cause}");
    assert!(matches!(
        open(&driver),
        Err(PlatformError::DevicePoisoned { .. })
    ));
    assert!(device.register_table().is_err());
    assert!(driver.calls().is_empty());
    // What the run left behind can still be read.
    device.copy_to_host(&mut [0; 64], memory.address()).unwrap();
    drop((device, memory));
    let calls = driver.calls();
    assert_eq!(calls.last().unwrap(), "aclrtResetDeviceForce");
    assert_eq!(count(&calls, "rtStreamSynchronize"), 0, "{calls:?}");
    driver.stop_failing();
    assert!(open(&driver).is_ok_and(|device| !device.is_poisoned()));
}

#[test]
fn a_limit_that_passes_is_a_time_out_and_harms_nothing() {
    let driver = FakeDriver::build(&[SOC]);
    let device = open(&driver).unwrap();
    driver.fail("rtStreamSynchronizeWithTimeout", 0, 507_046);
    let error = device.synchronize(StreamKind::Aicore, LIMIT).unwrap_err();
    assert!(matches!(
        error,
        PlatformError::Timeout {
            stream: StreamKind::Aicore,
            limit: LIMIT
        }
    ));
    assert!(!device.is_poisoned());
}

#[test]
fn registers_are_mapped_once_and_a_busy_driver_is_asked_again() {
    let driver = FakeDriver::build(&[SOC]);
    let device = open(&driver).unwrap();
    let table = device.register_table().unwrap();
    assert_eq!(device.register_table().unwrap(), table);
    assert_eq!(table.len(), 75);
    assert_eq!((table[0], table[7]), (0x2000_0000, 0));
    assert_eq!(count(&driver.calls(), "halMemCtl"), 3);
}

#[test]
fn counters_have_pages_of_their_own_that_are_mapped_when_asked_for() {
    let driver = FakeDriver::build(&[SOC, "BUSY_CALLS=0"]);
    let device = open(&driver).unwrap();
    let windows = device.register_table().unwrap();
    assert_eq!(count(&driver.calls(), "halMemCtl"), 1);
    let pages = device.pmu_register_table().unwrap();
    assert_eq!(device.pmu_register_table().unwrap(), pages);
    assert_eq!(count(&driver.calls(), "halMemCtl"), 1, "once more");
    assert_eq!(pages.len(), windows.len());
    for (page, window) in pages.iter().zip(&windows) {
        let expected = window + u64::from(*window != 0) * 0x4000_0000;
        assert_eq!(*page, expected);
    }
}

#[test]
fn a_refused_page_of_counters_is_an_error_and_asked_for_again() {
    let driver = FakeDriver::build(&[SOC, "BUSY_CALLS=0"]);
    let device = open(&driver).unwrap();
    driver.fail("halMemCtl", 0, 0xfffe);
    let error = device.pmu_register_table().unwrap_err();
    let is_refused = matches!(
        error,
        PlatformError::Driver {
            call: "halMemCtl",
            code: 0xfffe,
            ..
        }
    );
    assert!(is_refused, "{error:?}");
    driver.stop_failing();
    let again = device.pmu_register_table().unwrap();
    assert_eq!(again.len(), 75);
}

#[test]
fn a_driver_that_stays_busy_is_named_after_four_calls() {
    let driver = FakeDriver::build(&[SOC, "BUSY_CALLS=1000"]);
    let device = open(&driver).unwrap();
    let error = device.register_table().unwrap_err();
    let is_busy = matches!(
        error,
        PlatformError::Driver {
            call: "halMemCtl",
            code: 13,
            name: "BUSY",
            ..
        }
    );
    assert!(is_busy, "{error:?}");
    assert_eq!(count(&driver.calls(), "halMemCtl"), 4);
}

#[test]
fn what_the_driver_cannot_do_is_refused_at_open() {
    let driver = FakeDriver::build(&[SOC]);
    let options = OpenOptions {
        driver_dir: Some(driver.folder().to_path_buf()),
        ..Default::default()
    };
    let with_setting = OpenOptions {
        driver_settings: vec![("seed".to_owned(), "3".to_owned())],
        ..options.clone()
    };
    let by_name = OpenOptions {
        launch_form: Some(LaunchForm::ByName),
        ..options
    };
    for options in [with_setting, by_name] {
        assert!(matches!(
            A2a3Platform.open(&options),
            Err(PlatformError::Unsupported { .. })
        ));
    }
    assert!(driver.calls().is_empty());
    let other_chip = FakeDriver::build(&["SOC=Ascend950"]);
    let error = open(&other_chip).unwrap_err();
    assert!(error.to_string().contains("Ascend950"), "{error}");
    assert_eq!(other_chip.calls(), ["rtSetDevice", "rtDeviceReset"]);
}

#[test]
fn a_kernel_for_the_host_needs_a_simulated_device() {
    let driver = FakeDriver::build(&[SOC]);
    let device = open(&driver).unwrap();
    let image = driver.object("extern \"C\" void kernel_entry() {}");
    let error = device.kernel_bytes(&image).unwrap_err();
    assert!(error.to_string().contains("no simulated one"), "{error}");
    assert_eq!(
        lanescope_cann::kernel_bytes(&image, true).unwrap(),
        &image[..]
    );
    // The machine field of an object for no general-purpose processor.
    let mut aicore = image.clone();
    aicore[18..20].copy_from_slice(&0x1029_u16.to_le_bytes());
    let text = device.kernel_bytes(&aicore).unwrap();
    assert!(!text.is_empty() && text.len() < aicore.len());
}
