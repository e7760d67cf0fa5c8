//! Launches, waits and failures through the vendor's own symbols, with a device process of the test's.

#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "one argument holds for a list of calls"
)]

#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test program uses a part of it"
)]
mod support;

use std::ptr::{null, null_mut};
use std::time::{Duration, Instant};
use support::{Pointer, Session, aicpu_args, driver, text};

fn a2a3() -> Session {
    driver("a2a3")
}

fn address(pointer: Pointer) -> u64 {
    pointer.addr() as u64
}

#[test]
fn waits_end_when_tasks_do_or_when_the_limit_says() {
    let driver = a2a3();
    driver.set_device(0);
    let (one, two) = (driver.stream().unwrap(), driver.stream().unwrap());
    assert_eq!(
        (driver.sync(one, 0), driver.sync(one, -2)),
        (107_000, 107_000)
    );
    assert_eq!(driver.sync(null_mut(), 1), 107_000);
    assert_eq!(driver.sync(0x1234 as Pointer, 1), 107_003);
    assert_eq!((driver.query(one), driver.sync(one, 1)), (0, 0));
    assert_eq!(driver.launch(one, "hang", 1, 0), 0);
    assert_eq!(driver.launch(two, "ok", 1, 0), 0);
    assert_eq!(driver.sync(two, 10_000), 0, "the other stream goes on");
    assert_eq!(driver.query(one), 507_004);
    let begin = Instant::now();
    assert_eq!(driver.sync(one, 50), 507_046);
    assert!(begin.elapsed() >= Duration::from_millis(50));
    assert_eq!(driver.query(one), 507_004, "the task still runs");
    // SAFETY: the call takes a number.
    let got = unsafe { (driver.aclrtSynchronizeDeviceWithTimeout)(10) };
    assert_eq!(got, 507_046);
    assert_eq!(driver.destroy(one), 0);
    // SAFETY: the call takes a number.
    assert_eq!(unsafe { (driver.aclrtSynchronizeDeviceWithTimeout)(10) }, 0);
    assert_eq!(driver.sync(one, 1), 107_003, "it is gone");
    assert_eq!((driver.destroy(one), driver.destroy(two)), (107_003, 0));
}

#[test]
fn launches_check_their_arguments_and_deliver_them() {
    let driver = a2a3();
    driver.set("seed", "7").unwrap();
    driver.set_device(1);
    driver.set("seed", "").unwrap();
    driver.set("late-host", "50").unwrap();
    driver.set("late-host", "").unwrap();
    let stream = driver.stream().unwrap();
    let mut actual = 0;
    // SAFETY: `actual` is writable.
    unsafe {
        assert_eq!((driver.aclrtSetOpExecuteTimeOutV2)(1, null_mut()), 107_000);
        assert_eq!(
            (driver.aclrtSetOpExecuteTimeOutV2)(1_500_001, &raw mut actual),
            0
        );
    }
    assert_eq!(actual, 1_501_000);
    assert_eq!(driver.launch(stream, "ok", 0, 0), 107_000);
    assert_eq!(driver.launch(stream, "ok", 65536, 0), 107_000);
    assert_eq!(
        driver.launch(stream, "ok", 7, 0),
        507_000,
        "there are 6 AICPU threads"
    );
    let args = [0u8; 16];
    let op = c"op".as_ptr();
    let launch = driver.rtAicpuKernelLaunchExWithArgs;
    for (kernel_type, info, code) in [
        (3, aicpu_args(&args, 0, 0), 107_000),
        (5, aicpu_args(&args, 16, 0), 107_000),
        (5, aicpu_args(&args, 0, 1 << 31), 107_000),
        (5, aicpu_args(&[], 0, 0), 107_000),
        (5, aicpu_args(&args, 0, 0), 0),
    ] {
        // SAFETY: `info` is laid out as the structure and names `args`.
        let got = unsafe { launch(kernel_type, op, 1, info.as_ptr(), null_mut(), stream, 0) };
        assert_eq!(got, code);
    }
    // SAFETY: null is checked.
    unsafe {
        let info = aicpu_args(&args, 0, 0);
        let info = info.as_ptr();
        assert_eq!(launch(5, null(), 1, info, null_mut(), stream, 0), 107_000);
        assert_eq!(launch(5, op, 1, null(), null_mut(), stream, 0), 107_000);
    }
    assert_eq!(driver.launch(stream, "tell", 6, 0), 0);
    assert_eq!(driver.sync(stream, -1), 507_018);
    assert_eq!(
        driver.message(),
        "rtStreamSynchronizeWithTimeout: task 2 of stream 0 failed: chip=1 driver=1 stream=0 \
         task=2 file=libx.so blocks=6 args=125 limit=1501000 set=seed=7;seed=;late-host=50;\
         late-host=; (507018)"
    );
}

#[test]
fn an_aicore_program_is_loaded_once_at_its_first_launch() {
    let driver = a2a3();
    driver.set_device(0);
    let image = [1u8; 100];
    let binary = |magic: u64, bytes: u64| [magic, image.as_ptr() as u64, bytes];
    let mut kernel = null_mut();
    let register = driver.rtRegisterAllKernel;
    // SAFETY: the arrays are laid out as the structures and name live bytes.
    unsafe {
        assert_eq!(register(null(), &raw mut kernel), 107_000);
        assert_eq!(
            register(binary(0x4141_5243, 100).as_ptr(), &raw mut kernel),
            107_000
        );
        assert_eq!(
            register(binary(0x4355_4245, 0).as_ptr(), &raw mut kernel),
            107_000
        );
        assert_eq!(
            register(binary(0x4355_4245, 100).as_ptr(), null_mut()),
            107_000
        );
        assert_eq!(
            register(binary(0x4355_4245, 100).as_ptr(), &raw mut kernel),
            0
        );
    }
    let stream = driver.stream().unwrap();
    let word = 5u64;
    let args = |bytes: u64| [(&raw const word) as u64, 0, bytes, 0, 0];
    let launch = |kernel: Pointer, blocks: u32, args: *const u64| {
        // SAFETY: `args` is null or laid out as the structure and names a word.
        unsafe {
            (driver.rtKernelLaunchWithHandleV2)(kernel, 0, blocks, args, null_mut(), stream, null())
        }
    };
    assert_eq!(launch(kernel, 0, args(8).as_ptr()), 107_000);
    assert_eq!(launch(kernel, 25, args(8).as_ptr()), 107_000);
    assert_eq!(launch(kernel, 24, null()), 107_000);
    assert_eq!(launch(kernel, 24, args(0).as_ptr()), 107_000);
    assert_eq!(launch(stream, 24, args(8).as_ptr()), 107_017);
    for _ in 0..3 {
        assert_eq!(launch(kernel, 24, args(8).as_ptr()), 0);
        assert_eq!(driver.sync(stream, -1), 0, "{}", driver.message());
    }
    // SAFETY: the driver does not follow the pointer.
    unsafe {
        assert_eq!((driver.rtDevBinaryUnRegister)(kernel), 0);
        assert_eq!((driver.rtDevBinaryUnRegister)(kernel), 107_017);
    }
    assert_eq!(launch(kernel, 24, args(8).as_ptr()), 107_017);

    let mut pool = Vec::new();
    let full = loop {
        // SAFETY: the array is laid out as the structure and names live bytes; `kernel` is writable.
        match unsafe { register(binary(0x4355_4245, 100).as_ptr(), &raw mut kernel) } {
            0 => pool.push(kernel),
            code => break code,
        }
    };
    assert_eq!((full, pool.len()), (207_001, 128));
    for kernel in pool {
        // SAFETY: the driver does not follow the pointer.
        assert_eq!(unsafe { (driver.rtDevBinaryUnRegister)(kernel) }, 0);
    }
}

#[test]
fn functions_are_launched_by_name() {
    let driver = a2a3();
    driver.set_device(0);
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("by-name.json");
    std::fs::write(
        &path,
        r#"{"run_00": {"opInfo": {"functionName": "tell", "kernelSo": "inner_00_0.so",
            "opKernelLib": "AICPUKernel"}}}"#,
    )
    .unwrap();
    let path = text(path.to_str().unwrap());
    let mode = |mode: u32| [3 | u64::from(mode) << 32, 0, 0];
    let config = |options: &[u64; 3]| [options.as_ptr() as u64, 1];
    let (json, other) = (mode(0), mode(1));
    let (mut binary, mut function) = (null_mut(), null_mut());
    let load = driver.rtsBinaryLoadFromFile;
    let stream = driver.stream().unwrap();
    let args = [0u8; 112];
    let info = aicpu_args(&args, 0, 0);
    // SAFETY: the arrays are laid out as the structures and name live bytes.
    unsafe {
        assert_eq!(
            load(null(), config(&json).as_ptr(), &raw mut binary),
            107_000
        );
        assert_eq!(
            load(c"/none".as_ptr(), config(&json).as_ptr(), &raw mut binary),
            107_000
        );
        assert_eq!(
            load(path.as_ptr(), config(&other).as_ptr(), &raw mut binary),
            207_000
        );
        assert_eq!(
            load(path.as_ptr(), config(&json).as_ptr(), &raw mut binary),
            0
        );
        let find = driver.rtsFuncGetByName;
        assert_eq!(find(binary, c"run".as_ptr(), &raw mut function), 507_027);
        assert_eq!(find(stream, c"run_00".as_ptr(), &raw mut function), 107_017);
        assert_eq!(find(binary, c"run_00".as_ptr(), &raw mut function), 0);
        let launch = driver.rtsLaunchCpuKernel;
        assert_eq!(launch(function, 0, stream, null(), info.as_ptr()), 107_000);
        assert_eq!(launch(function, 4, stream, null(), info.as_ptr()), 0);
        assert_eq!((driver.rtsBinaryUnload)(binary), 0);
        assert_eq!((driver.rtsBinaryUnload)(binary), 107_017);
        assert_eq!(launch(function, 4, stream, null(), info.as_ptr()), 107_017);
    }
    assert_eq!(driver.sync(stream, -1), 507_018);
    assert!(
        driver
            .message()
            .contains("file=inner_00_0.so blocks=4 args=112 ")
    );
}

#[test]
fn a_failed_task_poisons_the_device_until_a_forced_reset() {
    let driver = a2a3();
    driver.set_device(0);
    let (one, two) = (driver.stream().unwrap(), driver.stream().unwrap());
    let memory = driver.malloc(64).unwrap();
    assert_eq!(driver.launch(one, "fail", 1, 0), 0);
    assert_eq!(driver.sync(one, -1), 507_018);
    assert!(driver.message().contains("it was asked to"));
    assert_eq!(driver.message(), "", "it is told once");
    assert_eq!(
        (driver.sync(one, -1), driver.query(two)),
        (507_018, 507_018)
    );
    // SAFETY: the calls take numbers and a null that is checked last.
    unsafe {
        assert_eq!((driver.aclrtSynchronizeDeviceWithTimeout)(-1), 507_018);
        let mut actual = 0;
        assert_eq!(
            (driver.aclrtSetOpExecuteTimeOutV2)(0, &raw mut actual),
            507_000
        );
    }
    assert_eq!(
        (driver.malloc(64), driver.stream()),
        (Err(507_899), Err(507_899))
    );
    assert_eq!(driver.launch(two, "ok", 1, 0), 507_899);
    let mut bytes = [0; 64];
    assert_eq!(
        driver.read(&mut bytes, memory),
        0,
        "what is there can still be read"
    );
    assert_eq!(
        (
            driver.free(memory),
            driver.destroy(one),
            driver.destroy(two)
        ),
        (0, 0, 0)
    );

    assert_eq!(driver.reset(0), 0);
    driver.set_device(0);
    assert_eq!(
        driver.malloc(64),
        Err(507_899),
        "a soft reset does not heal"
    );
    assert_eq!(driver.force_reset(0), 0);
    driver.set_device(0);
    let memory = driver.malloc(64).unwrap();
    assert_eq!(driver.free(memory), 0);
}

#[test]
fn when_the_device_process_ends_everything_ends_at_once() {
    let driver = a2a3();
    for (how, manner) in [("abort", "killed by signal 6"), ("exit", "exit code 3")] {
        driver.set_device(0);
        let (one, two) = (driver.stream().unwrap(), driver.stream().unwrap());
        let memory = driver.malloc(8192).unwrap();
        let mut host = null_mut();
        // SAFETY: `host` is writable.
        let got = unsafe { (driver.halHostRegister)(memory, 8192, 2, 0, &raw mut host) };
        assert_eq!(got, 0);
        assert_eq!(driver.launch(two, "hang", 1, 0), 0);
        let waiter = std::thread::scope(|scope| {
            let driver = &*driver;
            let two = address(two);
            let waiter = scope.spawn(move || {
                driver.set_device(0);
                // SAFETY: the driver does not follow the pointer.
                unsafe { (driver.rtStreamSynchronize)(two as Pointer) }
            });
            std::thread::sleep(Duration::from_millis(20));
            assert_eq!(driver.launch(one, how, 1, 0), 0);
            waiter.join().unwrap()
        });
        assert_eq!(waiter, 507_901);
        assert_eq!(driver.sync(one, -1), 507_901);
        let message = driver.message();
        assert!(message.contains(manner), "{message}");
        assert_eq!(
            (driver.malloc(64), driver.stream()),
            (Err(507_901), Err(507_901))
        );
        assert_eq!(driver.launch(one, "ok", 1, 0), 507_901);
        assert_eq!(driver.write(memory, &[0; 8]), 507_901);
        // SAFETY: the registration is still there.
        unsafe { host.cast::<u64>().write_volatile(1) };
        // SAFETY: addresses are checked, not followed.
        assert_eq!(unsafe { (driver.halHostUnregister)(memory, 0) }, 0);
        let before = driver.leaks().0;
        assert_eq!(driver.free(memory), 507_901);
        assert_eq!(
            (driver.destroy(one), driver.destroy(two)),
            (507_901, 507_901)
        );
        assert_eq!(driver.force_reset(0), 0);
        assert_eq!(driver.leaks().0, before, "what was given back is no leak");
    }
    driver.set_device(0);
    let stream = driver.stream().unwrap();
    assert_eq!(driver.launch(stream, "ok", 1, 0), 0);
    assert_eq!(driver.sync(stream, -1), 0, "a forced reset heals");
}
