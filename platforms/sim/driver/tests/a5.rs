//! What is different about the driver of an a5 chip.

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
use support::driver;

#[test]
fn the_host_maps_register_windows_but_no_memory() {
    let driver = driver("a5");
    let resource = |id: u32| [0, 0, id, 0, 0];
    let (mut va, mut len) = (0, 0);
    // SAFETY: all buffers are as long as the calls say; device addresses are checked.
    unsafe {
        let map = driver.halResMap;
        let closed = map(0, resource(0).as_ptr(), &raw mut va, &raw mut len);
        assert_eq!(closed, 62, "no process answers");
        driver.set_device(0);
        assert_eq!(map(0, resource(36).as_ptr(), &raw mut va, &raw mut len), 8);
        assert_eq!(
            map(0, [1, 0, 0, 0, 0].as_ptr(), &raw mut va, &raw mut len),
            0xfffe
        );
        assert_eq!(
            map(0, [0, 0, 0, 1, 0].as_ptr(), &raw mut va, &raw mut len),
            0xfffe
        );
        assert_eq!(map(0, resource(1).as_ptr(), null_mut(), &raw mut len), 8);
        for id in 0..36 {
            assert_eq!(map(0, resource(id).as_ptr(), &raw mut va, &raw mut len), 0);
            assert_eq!(
                (va, len),
                (0x2100_0000_0000 + u64::from(id) * 0x30_0000, 0x30_0000)
            );
        }
        let unmap = driver.halResUnmap;
        assert_eq!(unmap(0, resource(3).as_ptr()), 0);
        assert_eq!(unmap(0, resource(3).as_ptr()), 11);

        let memory = driver.malloc(8192).unwrap();
        let mut host = null_mut();
        assert_eq!(
            (driver.halHostRegister)(memory, 8192, 2, 0, &raw mut host),
            0xfffe
        );
        let mut out = [0; 2];
        let control = driver.halMemCtl;
        assert_eq!(
            control(0, [2, 0].as_ptr(), 8, out.as_mut_ptr(), null_mut()),
            0xfffe
        );
        let (mut area, mut bytes) = (0, 0);
        assert_eq!(
            (driver.rtGetC2cCtrlAddr)(&raw mut area, &raw mut bytes),
            0x0711_000D
        );
        let mut value = 0;
        assert_eq!((driver.halGetDeviceInfo)(0, 7, 3, &raw mut value), 0);
        assert_eq!(value, 72);
        assert_eq!(driver.free(memory), 0);

        let stream = driver.stream().unwrap();
        assert_eq!(driver.launch(stream, "fail", 1, 0), 0);
        assert_eq!(driver.sync(stream, -1), 507_018);
        assert_eq!(
            map(0, resource(0).as_ptr(), &raw mut va, &raw mut len),
            62,
            "poisoned"
        );
    }
}
