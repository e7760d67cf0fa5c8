//! The functions of `libascendcl.so`.
//!
//! # Safety
//!
//! For all of them: a pointer is null or valid for what the vendor's function does with it.

use super::pointer::{non_null, write};
use super::runtime::{find_stream, synchronize_stream, wait_limit};
use super::{enter, guarded};
use crate::calls::Call;
use crate::codes::{INTERNAL, PARAM_INVALID, refuse};
use crate::current::take_failure;
use crate::driver::Driver;
use crate::wait::Tasks;
use lanescope_abi::Chip;
use lanescope_abi::chip::AIV_PER_CLUSTER;
use lanescope_sim_wire::HostFrame;
use std::cell::Cell;
use std::ffi::{c_char, c_void};

/// What 0 asks `aclrtSetOpExecuteTimeOutV2` for: the largest limit.
const MAX_OP_LIMIT_US: u64 = 600_000_000;
/// Op limits are whole milliseconds.
const OP_LIMIT_STEP_US: u64 = 1000;

/// Kinds of `aclrtGetStreamResLimit`.
const LIMIT_CUBE: u32 = 0;
const LIMIT_VECTOR: u32 = 1;

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_aclInit(_config: *const c_char) -> i32 {
    enter(Call::aclInit, Driver::initialise)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_aclFinalize() -> i32 {
    enter(Call::aclFinalize, Driver::finalise)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_aclrtSetDevice(device: i32) -> i32 {
    enter(Call::aclrtSetDevice, |driver| driver.set_device(device))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_aclrtResetDevice(device: i32) -> i32 {
    enter(Call::aclrtResetDevice, |driver| {
        driver.reset_device(device, false)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_aclrtResetDeviceForce(device: i32) -> i32 {
    enter(Call::aclrtResetDeviceForce, |driver| {
        driver.reset_device(device, true)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_aclrtGetDevice(device: *mut i32) -> i32 {
    enter(Call::aclrtGetDevice, |driver| {
        non_null(device, PARAM_INVALID, "deviceId")?;
        let (_, current) = driver.current()?;
        let logical = i32::try_from(current.device).expect("there are few devices");
        // SAFETY: `device` is one of the caller's, see the module's safety section.
        unsafe { write(device, logical, PARAM_INVALID, "deviceId") }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_aclrtSynchronizeDeviceWithTimeout(limit_ms: i32) -> i32 {
    enter(Call::aclrtSynchronizeDeviceWithTimeout, |driver| {
        let limit = wait_limit(limit_ms)?;
        let (device, current) = driver.current()?;
        device.synchronize(current.generation, Tasks::All, limit)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_aclrtSynchronizeStreamWithTimeout(
    stream: *mut c_void,
    limit_ms: i32,
) -> i32 {
    enter(Call::aclrtSynchronizeStreamWithTimeout, |driver| {
        synchronize_stream(driver, stream, wait_limit(limit_ms)?)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_aclrtSetOpExecuteTimeOutV2(limit_us: u64, actual_us: *mut u64) -> i32 {
    enter(Call::aclrtSetOpExecuteTimeOutV2, |driver| {
        non_null(actual_us, PARAM_INVALID, "actualTimeout")?;
        let (device, current) = driver.current()?;
        device.with(current.generation, |_| Ok(()))?;
        if let Some(first) = device.poison() {
            let why = format_args!("the device is unusable since a failure: {first}");
            return Err(refuse(INTERNAL, why));
        }
        let limit_us = match limit_us {
            0 => MAX_OP_LIMIT_US,
            asked => asked
                .min(MAX_OP_LIMIT_US)
                .next_multiple_of(OP_LIMIT_STEP_US),
        };
        device.tell(&HostFrame::OpLimit { limit_us });
        // SAFETY: `actual_us` is one of the caller's, see the module's safety section.
        unsafe { write(actual_us, limit_us, PARAM_INVALID, "actualTimeout") }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_aclrtGetStreamResLimit(
    stream: *mut c_void,
    kind: u32,
    value: *mut u32,
) -> i32 {
    enter(Call::aclrtGetStreamResLimit, |driver| {
        non_null(value, PARAM_INVALID, "value")?;
        let (handle, generation) = find_stream(driver, stream)?;
        let device = driver.device_of(handle)?;
        device.with(generation, |open| open.stream(handle).map(drop))?;
        let clusters = driver.chip().info().max_clusters;
        let limit = match kind {
            LIMIT_CUBE => clusters,
            LIMIT_VECTOR => clusters * AIV_PER_CLUSTER,
            _ => return Err(refuse(PARAM_INVALID, format_args!("limit type {kind}"))),
        };
        // SAFETY: `value` is one of the caller's, see the module's safety section.
        unsafe { write(value, limit, PARAM_INVALID, "value") }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_aclrtGetSocName() -> *const c_char {
    let name = Cell::new(std::ptr::null());
    enter(Call::aclrtGetSocName, |driver| {
        name.set(match driver.chip() {
            Chip::A2a3 => c"Ascend910B".as_ptr(),
            Chip::A5 => c"Ascend950".as_ptr(),
        });
        Ok(())
    });
    name.get()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_aclGetRecentErrMsg() -> *const c_char {
    let text = Cell::new(std::ptr::null());
    // Also there when it was the driver itself that was not.
    guarded(Call::aclGetRecentErrMsg, |_| {
        text.set(take_failure());
        Ok(())
    });
    text.get()
}
