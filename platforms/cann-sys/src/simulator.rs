//! The controls that the simulated driver exports beside the vendor's names.
//!
//! A vendor driver has none of them, so [`Simulator`] is optional everywhere.

use libloading::Library;
use std::ffi::{CString, c_char};

/// Controls of a simulated driver.
#[derive(Clone, Copy, Debug)]
pub struct Simulator {
    set: unsafe extern "C" fn(name: *const c_char, value: *const c_char) -> i32,
    leaks: unsafe extern "C" fn(text: *mut c_char, capacity: u64) -> u64,
    calls: unsafe extern "C" fn(name: *const c_char) -> u64,
    device_pid: unsafe extern "C" fn(device: i32) -> i32,
}

impl Simulator {
    /// The controls reachable from `runtime`, the opened `libruntime.so`, if it is simulated.
    pub(crate) fn find(runtime: &Library) -> Option<Self> {
        // SAFETY:
        // - the name belongs to the simulated driver, which exports it with exactly this type;
        // - the pointer outlives `runtime` because libraries are never unloaded.
        let set = unsafe { runtime.get(b"lanescope_sim_set\0") }.ok();
        // SAFETY:
        // - the name belongs to the simulated driver, which exports it with exactly this type;
        // - the pointer outlives `runtime` because libraries are never unloaded.
        let leaks = unsafe { runtime.get(b"lanescope_sim_leaks\0") }.ok();
        // SAFETY:
        // - the name belongs to the simulated driver, which exports it with exactly this type;
        // - the pointer outlives `runtime` because libraries are never unloaded.
        let calls = unsafe { runtime.get(b"lanescope_sim_calls\0") }.ok();
        // SAFETY:
        // - the name belongs to the simulated driver, which exports it with exactly this type;
        // - the pointer outlives `runtime` because libraries are never unloaded.
        let device_pid = unsafe { runtime.get(b"lanescope_sim_device_pid\0") }.ok();
        Some(Self {
            set: *set?,
            leaks: *leaks?,
            calls: *calls?,
            device_pid: *device_pid?,
        })
    }

    /// Changes a setting; returns the driver's code, 0 when it took it.
    #[must_use]
    pub fn set(&self, name: &str, value: &str) -> i32 {
        let (Ok(name), Ok(value)) = (CString::new(name), CString::new(value)) else {
            return crate::codes::PARAM_INVALID;
        };
        // SAFETY: both are strings with a terminating zero that outlive the call.
        unsafe { (self.set)(name.as_ptr(), value.as_ptr()) }
    }

    /// How many objects were still alive when devices were reset, and which, one a line.
    #[must_use]
    pub fn leaks(&self) -> (u64, String) {
        const CAPACITY: u16 = 16 * 1024;
        let mut text = vec![0_u8; usize::from(CAPACITY)];
        // SAFETY: `text` is writable for `CAPACITY` bytes, and the call writes no more than that.
        let count = unsafe { (self.leaks)(text.as_mut_ptr().cast(), u64::from(CAPACITY)) };
        let end = text
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(text.len());
        (count, String::from_utf8_lossy(&text[..end]).into_owned())
    }

    /// How often a function of the driver was called so far; all of them for an empty name.
    #[must_use]
    pub fn calls(&self, name: &str) -> u64 {
        let Ok(name) = CString::new(name) else {
            return 0;
        };
        // SAFETY: a string with a terminating zero that outlives the call.
        unsafe { (self.calls)(name.as_ptr()) }
    }

    /// Process id of the device process behind a logical device, if one runs.
    #[must_use]
    pub fn device_pid(&self, device: u32) -> Option<i32> {
        let device = i32::try_from(device).ok()?;
        // SAFETY: takes a number only.
        let pid = unsafe { (self.device_pid)(device) };
        (pid > 0).then_some(pid)
    }

    /// Whether both are the controls of one loaded library.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        std::ptr::fn_addr_eq(self.set, other.set)
    }
}
