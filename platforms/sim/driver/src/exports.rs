//! The exported functions: `sim_<vendor name>` for each of the vendor's, and the control symbols.
//!
//! # Errors
//!
//! Each returns a code and nothing else; [`enter`] turns a refusal into its code and keeps its text
//! for the calling thread. A panic becomes 507000.
//!
//! # Safety
//!
//! For all of them: a pointer is null or valid for what the vendor's function does with it.

mod ascendcl;
mod control;
mod hal;
mod launch;
mod pointer;
mod runtime;

use crate::calls::Call;
use crate::codes::{INTERNAL, OK, Refusal, Result, hal as hal_codes, refuse};
use crate::current::note_failure;
use crate::driver::{Driver, driver};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs an exported `rt*` or `acl*` function.
fn enter(call: Call, action: impl FnOnce(&'static Driver) -> Result<()>) -> i32 {
    guarded(call, |driver| {
        let driver = driver?;
        driver.check_not_finalised()?;
        action(driver)
    })
}

/// Runs an exported `hal*` function, whose codes are the lower driver's.
fn enter_hal(call: Call, action: impl FnOnce(&'static Driver) -> Result<()>) -> i32 {
    guarded(call, |driver| match driver {
        Ok(driver) => action(driver),
        Err(missing) => Err(refuse(hal_codes::INNER_ERROR, missing)),
    })
}

fn guarded(call: Call, action: impl FnOnce(Result<&'static Driver>) -> Result<()>) -> i32 {
    let run = || {
        // First of all, since it reads which calls are to fail.
        let driver = driver();
        match call.enter() {
            Some(code) => Err(refuse(code, "asked for by the setting `fail`")),
            None => action(driver),
        }
    };
    let result = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        Err(refuse(
            INTERNAL,
            "the simulated driver panicked, see its message",
        ))
    });
    match result {
        Ok(()) => OK,
        Err(refusal) => {
            note_failure(call.name(), &refusal);
            let Refusal { code, .. } = refusal;
            code
        }
    }
}
