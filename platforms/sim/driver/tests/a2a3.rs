//! The driver of an a2a3 chip through the vendor's own symbols, with a device process of the test's.

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
use support::{Pointer, Session, driver};

const MASK_WITH_A_HOLE: u64 = 0x1FF_FF7F;

fn a2a3() -> Session {
    driver("a2a3")
}

fn address(pointer: Pointer) -> u64 {
    pointer.addr() as u64
}

#[test]
fn every_thread_sets_its_device_and_the_last_reset_closes_it() {
    let driver = a2a3();
    let unset = std::thread::scope(|scope| scope.spawn(|| driver.malloc(64).err()).join().unwrap());
    assert_eq!(unset, Some(107_002));
    // SAFETY: the calls take numbers.
    unsafe {
        assert_eq!((driver.rtSetDevice)(2), 107_001);
        assert_eq!((driver.rtSetDevice)(-1), 107_001);
    }
    assert_eq!(driver.reset(0), 507_007);
    assert_eq!(driver.force_reset(0), 507_007);

    driver.set_device(0);
    let mut device = -1;
    // SAFETY: `device` is writable.
    assert_eq!(unsafe { (driver.aclrtGetDevice)(&raw mut device) }, 0);
    assert_eq!(device, 0);
    // SAFETY: the call takes a number.
    assert_eq!(unsafe { (driver.aclrtSetDevice)(0) }, 0);
    // SAFETY: the call takes a number.
    let pid = unsafe { (driver.lanescope_sim_device_pid)(0) };
    assert!(std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(driver.reset(0), 0, "the first of two");
    let memory = driver.malloc(64).unwrap();
    assert_eq!(driver.free(memory), 0);
    assert_eq!(driver.reset(0), 0, "the last");
    assert_eq!(driver.malloc(64), Err(107_002));
    assert!(
        !std::path::Path::new(&format!("/proc/{pid}")).exists(),
        "it was reaped"
    );
    // SAFETY: the call takes a number.
    assert_eq!(unsafe { (driver.lanescope_sim_device_pid)(0) }, -1);
}

#[test]
fn copies_stay_inside_one_allocation() {
    let driver = a2a3();
    driver.set_device(0);
    assert_eq!(driver.malloc(0), Err(107_000));
    assert_eq!(driver.malloc(5 << 30), Err(207_001));
    let first = driver.malloc(1000).unwrap();
    let second = driver.malloc(1000).unwrap();
    assert_eq!(address(first) % 512, 0);
    let bytes: Vec<u8> = (0..=250).cycle().take(1000).collect();
    assert_eq!(driver.write(first, &bytes), 0);
    let mut back = vec![0; 1000];
    assert_eq!(driver.read(&mut back, first), 0);
    assert_eq!(back, bytes);
    // SAFETY: both are device addresses, which the driver checks.
    let got = unsafe { (driver.rtMemcpy)(second, 1000, first, 1000, 3) };
    assert_eq!(got, 0);
    assert_eq!(
        driver.read(&mut back[..10], second.wrapping_byte_add(990)),
        0
    );
    assert_eq!(back[..10], bytes[990..]);

    assert_eq!(driver.write(first.wrapping_byte_add(1), &bytes), 107_000);
    assert!(
        driver.message().contains("not inside one allocation"),
        "the reason is kept"
    );
    let p = first;
    let host = bytes.as_ptr().cast();
    // SAFETY: null and device addresses are checked; `host` is a slice.
    unsafe {
        assert_eq!((driver.rtMemcpy)(null_mut(), 8, host, 8, 1), 107_000);
        assert_eq!((driver.rtMemcpy)(p, 8, null(), 8, 1), 107_000);
        assert_eq!((driver.rtMemcpy)(p, 0, host, 0, 1), 107_000);
        assert_eq!((driver.rtMemcpy)(p, 8, host, 9, 1), 107_000);
        assert_eq!((driver.rtMemcpy)(p, 8, host, 8, 7), 107_000);
        assert_eq!(
            (driver.rtMemcpy)(p, 8, host, 8, 2),
            107_000,
            "the wrong direction"
        );
        assert_eq!((driver.rtMemcpy)(p, 8, p, 8, 3), 0, "onto itself");
    }
    assert_eq!(driver.free(first.wrapping_byte_add(8)), 107_000);
    assert_eq!(driver.free(null_mut()), 107_000);
    let freed = std::thread::scope(|scope| {
        let first = address(first);
        let driver = &*driver;
        scope
            .spawn(move || driver.free(first as Pointer))
            .join()
            .unwrap()
    });
    assert_eq!(freed, 0, "without a device of its own");
    assert_eq!(
        driver.read(&mut back[..8], first),
        107_000,
        "after it was freed"
    );
    assert_eq!(driver.free(second), 0);
}

#[test]
fn two_devices_share_no_address() {
    let driver = a2a3();
    driver.set_device(0);
    let zero = driver.malloc(4096).unwrap();
    driver.set_device(1);
    let one = driver.malloc(4096).unwrap();
    assert_ne!(zero, one);
    assert_eq!(driver.write(zero, &[1; 8]), 107_000, "device 1 is current");
    assert_eq!(driver.write(one, &7u64.to_le_bytes()), 0);
    let stream = driver.stream().unwrap();
    assert_eq!(driver.launch(stream, "bump", 1, address(one)), 0);
    assert_eq!(driver.sync(stream, -1), 0, "{}", driver.message());
    let mut word = [0; 8];
    assert_eq!(driver.read(&mut word, one), 0);
    assert_eq!(u64::from_le_bytes(word), 8);
    driver.set_device(0);
    assert_eq!(
        driver.launch(stream, "ok", 1, 0),
        107_003,
        "a stream of device 1"
    );
    assert_eq!(driver.sync(stream, -1), 0, "waiting switches by itself");
    assert_eq!(
        (driver.destroy(stream), driver.free(zero), driver.free(one)),
        (0, 0, 0)
    );
}

#[test]
fn a_registration_is_a_second_view_at_another_address() {
    let driver = a2a3();
    driver.set_device(0);
    let memory = driver.malloc(8192).unwrap();
    let mut host = null_mut();
    // SAFETY: `host` is writable; device addresses are checked.
    unsafe {
        let register = driver.halHostRegister;
        assert_eq!(register(memory, 8192, 2, 0, null_mut()), 3);
        assert_eq!(register(memory, 0, 2, 0, &raw mut host), 8);
        assert_eq!(register(memory, 8192, 1, 0, &raw mut host), 0xfffe);
        assert_eq!(register(memory, 8193, 2, 0, &raw mut host), 8);
        assert_eq!(
            register(memory.wrapping_byte_add(64), 64, 2, 0, &raw mut host),
            8
        );
        assert_eq!(
            register(memory, 8192, 2, 1, &raw mut host),
            4,
            "device 1 is not set"
        );
        assert_eq!(
            register(memory, 8192, 2, 5, &raw mut host),
            42,
            "device 5 is not visible"
        );
        assert_eq!(
            register(memory, 8192, 2, 8, &raw mut host),
            2,
            "there is no device 8"
        );
        assert_eq!(
            register(memory, 8192, 2, 0, &raw mut host),
            0,
            "{}",
            driver.message()
        );
        assert_eq!(register(memory, 8192, 2, 0, &raw mut host), 12);
    }
    assert_ne!(host, memory);
    assert_eq!(driver.write(memory, &41u64.to_le_bytes()), 0);
    let word = host.cast::<u64>();
    // SAFETY: the registration covers 8192 bytes.
    assert_eq!(unsafe { word.read_volatile() }, 41);
    let stream = driver.stream().unwrap();
    assert_eq!(driver.launch(stream, "bump", 1, address(memory)), 0);
    // SAFETY: the driver does not follow the pointer.
    assert_eq!(unsafe { (driver.rtStreamSynchronize)(stream) }, 0);
    // SAFETY: the registration covers 8192 bytes, and the task that wrote there has ended.
    let got = unsafe { word.read_volatile() };
    assert_eq!(got, 42, "the device's write is seen");

    assert_eq!(driver.free(memory), 507_899, "it is still registered");
    // SAFETY: addresses are checked, not followed.
    unsafe {
        assert_eq!((driver.halHostUnregister)(host, 0), 11);
        assert!(
            driver.message().contains("host address"),
            "the usual mistake is named"
        );
        assert_eq!((driver.halHostUnregisterEx)(memory, 0, 2), 0);
        assert_eq!((driver.halHostUnregister)(memory, 0), 11);
    }
    assert_eq!((driver.free(memory), driver.destroy(stream)), (0, 0));
}

#[test]
fn registers_have_addresses_and_cores_a_hole() {
    let driver = a2a3();
    let mut mask = [u64::MAX; 2];
    let mut size = 16;
    let mut out = [0u64; 2];
    // SAFETY: all buffers are as long as the calls say.
    unsafe {
        let info = driver.halGetDeviceInfoByBuff;
        assert_eq!(info(0, 4, 8, mask.as_mut_ptr(), &raw mut size), 0);
        assert_eq!(info(0, 1, 59, mask.as_mut_ptr(), &raw mut size), 0xfffe);
        size = 8;
        assert_eq!(info(0, 4, 8, mask.as_mut_ptr(), &raw mut size), 3);
        let control = driver.halMemCtl;
        assert_eq!(
            control(0, [2, 0].as_ptr(), 8, out.as_mut_ptr(), null_mut()),
            4
        );
        driver.set_device(0);
        let mut length = 0;
        assert_eq!(
            control(0, [2, 0].as_ptr(), 8, out.as_mut_ptr(), &raw mut length),
            0
        );
        assert_eq!(length, 16);
        assert_eq!(
            control(0, [2, 9].as_ptr(), 8, out.as_mut_ptr(), null_mut()),
            3
        );
        assert_eq!(
            control(0, [2, 5].as_ptr(), 8, out.as_mut_ptr(), null_mut()),
            42
        );
        assert_eq!(control(0, null(), 8, out.as_mut_ptr(), null_mut()), 3);
        assert_eq!(
            control(7, [2, 0].as_ptr(), 8, out.as_mut_ptr(), null_mut()),
            0xfffe
        );
        assert_eq!(
            control(1, [2, 0].as_ptr(), 8, out.as_mut_ptr(), null_mut()),
            0
        );
        let mut value = 0;
        assert_eq!((driver.halGetDeviceInfo)(0, 1, 8, &raw mut value), 0);
        assert_eq!(value, 0xFC);
        assert_eq!((driver.halGetDeviceInfo)(0, 4, 3, &raw mut value), 0);
        assert_eq!(value, 25);
        let (mut va, mut len) = (0, 0);
        assert_eq!(
            (driver.halResMap)(0, [0; 5].as_ptr(), &raw mut va, &raw mut len),
            0xfffe
        );
        let (mut area, mut area_len) = (0, 0);
        assert_eq!(
            (driver.rtGetC2cCtrlAddr)(&raw mut area, &raw mut area_len),
            0
        );
        assert_ne!(area, 0);
        let name = std::ffi::CStr::from_ptr((driver.aclrtGetSocName)());
        assert!(name.to_str().unwrap().starts_with("Ascend910B"));
        let stream = driver.stream().unwrap();
        let mut limit = 0;
        assert_eq!(
            (driver.aclrtGetStreamResLimit)(stream, 0, &raw mut limit),
            0
        );
        assert_eq!(limit, 24);
        assert_eq!(
            (driver.aclrtGetStreamResLimit)(stream, 1, &raw mut limit),
            0
        );
        assert_eq!(limit, 48);
        assert_eq!(
            (driver.aclrtGetStreamResLimit)(stream, 2, &raw mut limit),
            107_000
        );
    }
    assert_eq!(mask, [MASK_WITH_A_HOLE, 0]);
    assert_eq!(out, [0x2000_0000_0000, 25 * 0x80_0000]);
}

#[test]
fn resets_report_what_leaked() {
    let driver = a2a3();
    driver.set_device(0);
    let before = driver.leaks();
    let memory = driver.malloc(8192).unwrap();
    let mut host = null_mut();
    // SAFETY: `host` is writable.
    let got = unsafe { (driver.halHostRegister)(memory, 4096, 2, 0, &raw mut host) };
    assert_eq!(got, 0);
    driver.stream().unwrap();
    let binary = [0x4355_4245, b"program".as_ptr() as u64, 7];
    let mut kernel = null_mut();
    // SAFETY: `binary` is laid out as the structure.
    let got = unsafe { (driver.rtRegisterAllKernel)(binary.as_ptr(), &raw mut kernel) };
    assert_eq!(got, 0);
    assert_eq!(driver.reset(0), 0);
    let after = driver.leaks();
    assert_eq!(after.0 - before.0, 4);
    let lines = after.1.trim_start_matches(&before.1);
    for what in [
        "registration: device 0, 4096",
        "allocation: device 0, 8192",
        "stream",
        "kernel",
    ] {
        assert!(lines.contains(what), "{what} in {lines}");
    }
    // SAFETY: no room is given.
    let got = unsafe { (driver.lanescope_sim_leaks)(null_mut(), 0) };
    assert_eq!(got, after.0);
}

#[test]
fn any_call_can_be_made_to_fail() {
    let driver = a2a3();
    driver.set_device(0);
    assert!(
        driver
            .set("fail", "rtNothing:1:1")
            .unwrap_err()
            .contains("no such function")
    );
    assert!(driver.set("speed", "1").is_err());
    driver.set("fail", "rtMalloc:2:207001").unwrap();
    driver.set("fail", "halMemCtl:1:13").unwrap();
    let before = driver.calls("rtMalloc");
    let all = driver.calls("");
    let first = driver.malloc(64).unwrap();
    assert_eq!(driver.malloc(64), Err(207_001));
    let third = driver.malloc(64).unwrap();
    assert_eq!(driver.calls("rtMalloc") - before, 3);
    assert!(driver.calls("") >= all + 3);
    assert_eq!(driver.calls("rtNothing"), 0);
    let mut out = [0; 2];
    let busy = || {
        let out = (&raw const out).cast_mut().cast();
        // SAFETY: the buffers are as long as the call says.
        unsafe { (driver.halMemCtl)(0, [2, 0].as_ptr(), 8, out, null_mut()) }
    };
    assert_eq!(busy(), 13);
    out = [1; 2];
    assert_eq!(out, [1, 1]);
    assert_eq!((driver.free(first), driver.free(third)), (0, 0));
}
