//! What the environment decides before the first call; a test program of its own.

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

use std::ptr::null_mut;

#[test]
fn visible_devices_and_settings_come_from_the_environment() {
    // SAFETY: this program has this one test; its main thread only waits for it, and no other thread
    // is running yet that could look at the environment.
    unsafe {
        std::env::set_var("ASCEND_RT_VISIBLE_DEVICES", "2,5");
        std::env::set_var(
            "LANESCOPE_SIM",
            "memory-bytes=2097152, fail=rtFree:1:507899",
        );
    }
    let driver = support::bare_driver("a2a3");
    driver.set_device(1);
    let mut out = [0u64; 2];
    let mut control = |id: u32| {
        // SAFETY: the buffers are as long as the call says.
        unsafe { (driver.halMemCtl)(0, [2, id].as_ptr(), 8, out.as_mut_ptr(), null_mut()) }
    };
    assert_eq!(control(5), 0, "the second of the list");
    assert_eq!(control(1), 42, "a logical id where the driver's is wanted");
    assert_eq!(control(2), 4, "visible, but not set");
    assert_eq!(driver.malloc(3 << 20), Err(207_001));
    let memory = driver.malloc(2 << 20).unwrap();
    assert_eq!((driver.free(memory), driver.free(memory)), (507_899, 0));
    let stream = driver.stream().unwrap();
    assert_eq!(driver.launch(stream, "tell", 1, 0), 0);
    assert_eq!(driver.sync(stream, -1), 507_018);
    assert!(driver.message().contains("driver=5 "));
    // SAFETY: the call takes a number.
    assert_eq!(unsafe { (driver.rtSetDevice)(2) }, 107_001);
}
