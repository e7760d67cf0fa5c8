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

    /// How much of something an opened device holds: `bytes`, `allocations`, `registrations`,
    /// `streams` or `programs`.
    #[must_use]
    pub fn held(&self, device: i32, what: &str) -> u64 {
        type Held = unsafe extern "C" fn(i32, *const std::ffi::c_char) -> u64;
        let what = CString::new(what).expect("a name has no zero");
        // SAFETY: the symbol has this type by the simulated driver's contract.
        let held = unsafe { self.library.get::<Held>(b"lanescope_sim_held\0") }.expect("exported");
        // SAFETY: `what` ends in a zero and outlives the call.
        unsafe { held(device, what.as_ptr()) }
    }

    /// Makes a setting, or takes it back with `off`.
    ///
    /// # Panics
    ///
    /// When the driver refuses it.
    pub fn set(&self, name: &str, value: &str) {
        type Set = unsafe extern "C" fn(*const std::ffi::c_char, *const std::ffi::c_char) -> i32;
        let name = CString::new(name).expect("a name has no zero");
        let value = CString::new(value).expect("a value has no zero");
        // SAFETY: the symbol has this type by the simulated driver's contract.
        let set = unsafe { self.library.get::<Set>(b"lanescope_sim_set\0") }.expect("exported");
        // SAFETY: both end in a zero and outlive the call.
        let code = unsafe { set(name.as_ptr(), value.as_ptr()) };
        assert_eq!(code, 0, "{name:?}={value:?} is refused");
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
