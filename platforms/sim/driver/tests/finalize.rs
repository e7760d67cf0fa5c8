//! After `aclFinalize` nothing may be called; a test program of its own, for there is no way back.

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

use std::ptr::null;

#[test]
fn nothing_follows_finalize() {
    let driver = support::driver("a2a3");
    // SAFETY: the calls take numbers and a null.
    unsafe {
        assert_eq!((driver.aclFinalize)(), 100_001);
        assert_eq!((driver.aclInit)(null()), 0);
        assert_eq!((driver.aclInit)(null()), 100_002);
        driver.set_device(0);
        assert_eq!(driver.reset(0), 0);
        assert_eq!((driver.aclFinalize)(), 0);
        assert_eq!((driver.aclFinalize)(), 100_037);
        assert_eq!((driver.rtSetDevice)(0), 100_037);
        assert_eq!(driver.malloc(64), Err(100_037));
    }
}
