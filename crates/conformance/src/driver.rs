//! The simulated driver's own counters, for tests and benches.

use lanescope::Build;
use libloading::Library;
use std::ffi::CString;

/// The library of a build's simulated driver that holds its state.
#[derive(Debug)]
pub struct SimulatedDriver {
    library: Library,
}

impl SimulatedDriver {
    /// The driver of a build; the same instance a session on that build uses.
    ///
    /// # Panics
    ///
    /// When the build has none, or it does not load.
    #[must_use]
    pub fn of(build: &Build) -> Self {
        let dir = build
            .driver_dir()
            .expect("a simulated build has a driver folder");
        let file = dir.join("libruntime.so");
        // SAFETY: the library is our own simulated driver; its initialisers only set up statics.
        let library = unsafe { Library::new(&file) }.expect("the driver loads");
        Self { library }
    }

    /// Objects that were still there when a device was reset.
    #[must_use]
    pub fn leaks(&self) -> u64 {
        type Leaks = unsafe extern "C" fn(*mut std::ffi::c_char, u64) -> u64;
        // SAFETY: the symbol has this type by the simulated driver's contract.
        let leaks =
            unsafe { self.library.get::<Leaks>(b"lanescope_sim_leaks\0") }.expect("exported");
        // SAFETY: a null buffer of no bytes is allowed: only the count is wanted.
        unsafe { leaks(std::ptr::null_mut(), 0) }
    }

    /// Calls of one function so far, or of all of them for an empty name.
    #[must_use]
    pub fn calls(&self, name: &str) -> u64 {
        type Calls = unsafe extern "C" fn(*const std::ffi::c_char) -> u64;
        let name = CString::new(name).expect("a name has no zero");
        // SAFETY: the symbol has this type by the simulated driver's contract.
        let calls =
            unsafe { self.library.get::<Calls>(b"lanescope_sim_calls\0") }.expect("exported");
        // SAFETY: `name` ends in a zero and outlives the call.
        unsafe { calls(name.as_ptr()) }
    }

    /// Process id of an opened device.
    #[must_use]
    pub fn device_pid(&self, device: i32) -> i32 {
        type Pid = unsafe extern "C" fn(i32) -> i32;
        // SAFETY: the symbol has this type by the simulated driver's contract.
        let pid =
            unsafe { self.library.get::<Pid>(b"lanescope_sim_device_pid\0") }.expect("exported");
        // SAFETY: takes any number.
        unsafe { pid(device) }
    }
}
