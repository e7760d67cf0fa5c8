//! The functions that steer and observe the simulated driver.
//!
//! # Safety
//!
//! For all of them: a text that is passed in ends with zero; one to be filled has the room that is named.

use super::pointer::text;
use crate::calls::Call;
use crate::codes::{OK, PARAM_INVALID, Result, refuse};
use crate::current::note_failure;
use crate::driver::driver;
use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Takes a setting; returns 0, or 107000 when name or value is refused.
#[unsafe(no_mangle)]
unsafe extern "C" fn lanescope_sim_set(name: *const c_char, value: *const c_char) -> i32 {
    let set = || {
        // SAFETY: `name` is one of the caller's, see the module's safety section.
        let name = unsafe { text(name, "name") }?;
        // SAFETY: `value` is one of the caller's, see the module's safety section.
        let value = unsafe { text(value, "value") }?;
        driver()?.change_setting(name, value)
    };
    match observed(set) {
        Ok(()) => OK,
        Err(refusal) => {
            note_failure("lanescope_sim_set", &refusal);
            PARAM_INVALID
        }
    }
}

/// Number of objects that resets found alive. A line for each goes to `text`, of which `capacity`
/// bytes are used at most, the closing zero included.
#[unsafe(no_mangle)]
unsafe extern "C" fn lanescope_sim_leaks(text: *mut c_char, capacity: u64) -> u64 {
    let leaks = || {
        let leaks = driver()?.leaks();
        Ok((leaks.count(), leaks.text()))
    };
    let (count, lines) = observed(leaks).unwrap_or_default();
    let capacity = usize::try_from(capacity).unwrap_or(0);
    if !text.is_null() && capacity > 0 {
        let bytes = lines.len().min(capacity - 1);
        // SAFETY: the caller vouches for `capacity` bytes at `text`, of which `bytes + 1` are used.
        unsafe { std::ptr::copy_nonoverlapping(lines.as_ptr(), text.cast(), bytes) };
        // SAFETY: the caller vouches for `capacity` bytes at `text`, and `bytes` is smaller than that.
        unsafe { text.wrapping_add(bytes).write(0) };
    }
    count
}

/// Calls of a function so far, by its vendor name; of all functions for an empty name; 0 for a name
/// that is not exported.
#[unsafe(no_mangle)]
unsafe extern "C" fn lanescope_sim_calls(name: *const c_char) -> u64 {
    // SAFETY: `name` is one of the caller's, see the module's safety section.
    match unsafe { text(name, "name") } {
        Ok("") => Call::count_all(),
        Ok(name) => Call::named(name).map_or(0, Call::count),
        Err(_) => 0,
    }
}

/// Process id of a logical device's process, -1 when it has none.
#[unsafe(no_mangle)]
unsafe extern "C" fn lanescope_sim_device_pid(device: i32) -> i32 {
    let pid = || Ok(driver()?.device(device)?.process_id());
    observed(pid).ok().flatten().unwrap_or(-1)
}

/// What an open device holds: `bytes` of device memory as allocated, or the number of
/// `allocations`, `registrations`, `streams` or `programs`; 0 for anything else.
#[unsafe(no_mangle)]
unsafe extern "C" fn lanescope_sim_held(device: i32, what: *const c_char) -> u64 {
    let held = || {
        // SAFETY: `what` is one of the caller's, see the module's safety section.
        let what = unsafe { text(what, "what") }?;
        Ok(driver()?.device(device)?.held(what))
    };
    observed(held).unwrap_or_default()
}

fn observed<T>(action: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(action)).unwrap_or_else(|_| {
        Err(refuse(
            PARAM_INVALID,
            "the simulated driver panicked, see its message",
        ))
    })
}
