//! The entries that the vendor's loader calls, with our executor behind them.

use crate::device::device;
use crate::{CHIP, RING};
use lanescope_abi::control::DeviceError;
use lanescope_abi::launch::AicpuArgs;
use lanescope_aicpu::schedule::{self, Noted};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// First entry of the classic launch form; there is nothing to prepare.
#[unsafe(no_mangle)]
pub extern "C" fn StaticTileFwkBackendKernelServer(_args: *const AicpuArgs) -> i32 {
    0
}

/// Called once after delivery in the classic launch form; there is nothing to prepare.
#[unsafe(no_mangle)]
pub extern "C" fn DynTileFwkBackendKernelServerInit(_args: *const AicpuArgs) -> i32 {
    0
}

/// One AICPU thread of a run, in the classic launch form.
///
/// # Safety
///
/// - `args` is null or points to the argument blob of the launch, whose control region the host
///   keeps for the whole run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn DynTileFwkBackendKernelServer(args: *const AicpuArgs) -> i32 {
    // SAFETY: the caller gives null or the blob of a launch whose control region stays.
    unsafe { run(args) }
}

/// One AICPU thread of a run, launched by name.
///
/// # Safety
///
/// - As for [`DynTileFwkBackendKernelServer`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_aicpu_run(args: *const AicpuArgs) -> i32 {
    // SAFETY: the caller gives null or the blob of a launch whose control region stays.
    unsafe { run(args) }
}

/// # Safety
///
/// - As for [`DynTileFwkBackendKernelServer`].
unsafe fn run(args: *const AicpuArgs) -> i32 {
    // SAFETY: null, or the argument blob of the launch.
    let Some(args) = (unsafe { args.as_ref() }) else {
        return DeviceError::Internal as i32;
    };
    let Some(device) = device() else {
        return DeviceError::Internal as i32;
    };
    let address = args.control_address;
    let mut noted = Noted::<RING>::new();
    let run = AssertUnwindSafe(|| {
        // SAFETY: the host launches as many threads as the header of its control region says.
        unsafe { schedule::run_noted(&device, address, CHIP, &mut noted) }
    });
    let result = catch_unwind(run);
    match result {
        Ok(Ok(())) => 0,
        Ok(Err(failure)) => failure.error as i32,
        Err(_) => {
            let poison = || {
                // SAFETY: the control region of the launch stays until every thread has returned;
                // `noted` is as the run left it.
                unsafe { schedule::poison(&device, address, CHIP, &mut noted) }
            };
            let _ = catch_unwind(AssertUnwindSafe(poison));
            DeviceError::Internal as i32
        }
    }
}
