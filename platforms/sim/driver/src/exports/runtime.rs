//! The functions of `libruntime.so` for devices, memory and streams.
//!
//! # Safety
//!
//! For all of them: a pointer is null or valid for what the vendor's function does with it.

use super::enter;
use super::pointer::{non_null, write};
use crate::calls::Call;
use crate::codes::{MEMORY_ALLOCATION, NO_C2C_AREA, PARAM_INVALID, Result, refuse, require};
use crate::driver::Driver;
use crate::handle::{Handle, Kind};
use crate::open::handle;
use crate::transfer;
use crate::wait::Tasks;
use lanescope_abi::Chip;
use lanescope_sim_wire::{RegisterPage, register_page};
use std::ffi::c_void;
use std::time::Duration;

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_rtSetDevice(device: i32) -> i32 {
    enter(Call::rtSetDevice, |driver| driver.set_device(device))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_rtDeviceReset(device: i32) -> i32 {
    enter(Call::rtDeviceReset, |driver| {
        driver.reset_device(device, false)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_rtMalloc(
    pointer: *mut *mut c_void,
    size: u64,
    _memory_type: u32,
    _module: u16,
) -> i32 {
    enter(Call::rtMalloc, |driver| {
        non_null(pointer, PARAM_INVALID, "devPtr")?;
        let (device, current) = driver.current()?;
        let address = device.with_healthy(current.generation, |open| {
            require(size > 0, PARAM_INVALID, "size is 0")?;
            open.allocations.allocate(size).ok_or_else(|| {
                refuse(
                    MEMORY_ALLOCATION,
                    format_args!("{size} bytes do not fit the device memory that is left"),
                )
            })
        })?;
        // SAFETY: `pointer` is one of the caller's, see the module's safety section.
        unsafe { write(pointer, device_pointer(address), PARAM_INVALID, "devPtr") }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_rtFree(pointer: *mut c_void) -> i32 {
    enter(Call::rtFree, |driver| {
        non_null(pointer, PARAM_INVALID, "devPtr")?;
        transfer::free(driver, pointer.addr() as u64)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_rtMemcpy(
    to: *mut c_void,
    to_size: u64,
    from: *const c_void,
    count: u64,
    kind: u32,
) -> i32 {
    enter(Call::rtMemcpy, |driver| {
        // SAFETY: both are the caller's, see the module's safety section; which of them is a device
        // address, and not followed, `copy` finds out.
        unsafe { transfer::copy(driver, to.cast(), to_size, from.cast(), count, kind) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_rtStreamCreate(stream: *mut *mut c_void, _priority: i32) -> i32 {
    enter(Call::rtStreamCreate, |driver| {
        non_null(stream, PARAM_INVALID, "stream")?;
        let (device, current) = driver.current()?;
        let handle = Handle::new(Kind::Stream, current.device);
        device.with_healthy(current.generation, |open| {
            open.add_stream(handle);
            Ok(())
        })?;
        // SAFETY: `stream` is one of the caller's, see the module's safety section.
        unsafe { write(stream, handle.to_pointer(), PARAM_INVALID, "stream") }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_rtStreamDestroy(stream: *mut c_void) -> i32 {
    enter(Call::rtStreamDestroy, |driver| {
        non_null(stream, PARAM_INVALID, "stream")?;
        let handle = handle(Kind::Stream, stream)?;
        let device = driver.device_of(handle)?;
        device.give_back(|open| open.remove_stream(handle))?;
        device.wake();
        Ok(())
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_rtStreamSynchronize(stream: *mut c_void) -> i32 {
    enter(Call::rtStreamSynchronize, |driver| {
        synchronize_stream(driver, stream, None)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_rtStreamSynchronizeWithTimeout(stream: *mut c_void, limit_ms: i32) -> i32 {
    enter(Call::rtStreamSynchronizeWithTimeout, |driver| {
        synchronize_stream(driver, stream, wait_limit(limit_ms)?)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_rtStreamQuery(stream: *mut c_void) -> i32 {
    enter(Call::rtStreamQuery, |driver| {
        let (handle, generation) = find_stream(driver, stream)?;
        driver.device_of(handle)?.query(generation, handle)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_rtGetC2cCtrlAddr(address: *mut u64, length: *mut u32) -> i32 {
    enter(Call::rtGetC2cCtrlAddr, |driver| {
        non_null(address, PARAM_INVALID, "addr")?;
        non_null(length, PARAM_INVALID, "len")?;
        driver.current()?;
        require(
            driver.chip() == Chip::A2a3,
            NO_C2C_AREA,
            "this chip has no such area",
        )?;
        let (area, bytes) = register_page(RegisterPage::C2c);
        let bytes = u32::try_from(bytes).expect("the area is a page");
        // SAFETY: `address` is one of the caller's, see the module's safety section.
        unsafe { write(address, area, PARAM_INVALID, "addr") }?;
        // SAFETY: `length` is one of the caller's, see the module's safety section.
        unsafe { write(length, bytes, PARAM_INVALID, "len") }
    })
}

/// Waits for a stream, whichever device is current.
pub(super) fn synchronize_stream(
    driver: &Driver,
    stream: *mut c_void,
    limit: Option<Duration>,
) -> Result<()> {
    let (handle, generation) = find_stream(driver, stream)?;
    driver
        .device_of(handle)?
        .synchronize(generation, Tasks::Of(handle), limit)
}

/// The wait that a number of milliseconds asks for; `None` is for ever.
pub(super) fn wait_limit(limit_ms: i32) -> Result<Option<Duration>> {
    match limit_ms {
        -1 => Ok(None),
        1.. => Ok(Some(Duration::from_millis(u64::from(
            limit_ms.unsigned_abs(),
        )))),
        _ => Err(refuse(
            PARAM_INVALID,
            format_args!("a time-out of {limit_ms} ms, -1 or more than 0 expected"),
        )),
    }
}

/// The stream behind a handle, with the opening it belongs to.
pub(super) fn find_stream(driver: &Driver, stream: *mut c_void) -> Result<(Handle, u64)> {
    non_null(stream, PARAM_INVALID, "stream")?;
    driver.current()?;
    let handle = handle(Kind::Stream, stream)?;
    let device = driver.device_of(handle)?;
    Ok((handle, device.generation()))
}

/// A device address as the caller holds it.
fn device_pointer(address: u64) -> *mut c_void {
    let address = usize::try_from(address).expect("addresses have 64 bits");
    std::ptr::without_provenance_mut(address)
}
