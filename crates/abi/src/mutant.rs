//! Steps that a test build can weaken, to prove that a test would notice.
//!
//! `cargo xtask loom --mutants` builds with `--cfg lanescope_mutants`, then runs for each mutant the
//! test that must catch it, with the mutant's name in `LANESCOPE_MUTANT`. In every other build
//! [`is_mutant`] is `false` at compile time and nothing of it is left.

/// Whether the step called `name` is weakened in this process.
#[cfg(not(lanescope_mutants))]
#[inline(always)]
#[must_use]
pub const fn is_mutant(_name: &str) -> bool {
    false
}

/// Whether the step called `name` is weakened in this process.
#[cfg(lanescope_mutants)]
#[must_use]
pub fn is_mutant(name: &str) -> bool {
    // SAFETY: the type is the C library's.
    unsafe extern "C" {
        fn getenv(name: *const core::ffi::c_char) -> *const core::ffi::c_char;
    }
    // SAFETY: the name is a string with a terminating zero; nothing changes the environment of a
    // test process while it runs.
    let value = unsafe { getenv(c"LANESCOPE_MUTANT".as_ptr()) };
    if value.is_null() {
        return false;
    }
    // SAFETY: not null, so a string of the environment with a terminating zero.
    let value = unsafe { core::ffi::CStr::from_ptr(value) };
    value.to_bytes() == name.as_bytes()
}
