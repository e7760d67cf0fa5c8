//! The AICPU dispatcher that stores a delivered program under a name.
//!
//! # Where it sits
//!
//! The by-name launch form delivers this program in the classic way, once for a device process. Its
//! init entry reads from [`DeviceArgs`] where the real program's bytes are and stores them as a file
//! named for fingerprint and device; every later launch names that file. It serves every chip and
//! ring size.
//!
//! # Errors
//!
//! An entry returns 0; 22 when its arguments cannot be; else the error number of the file system.

mod store;

use lanescope_abi::launch::{AicpuArgs, DeviceArgs, ProgramDescriptor, ProgramKind};
use std::mem::offset_of;
use std::panic::catch_unwind;

/// The arguments cannot be.
const EINVAL: i32 = 22;
/// Something failed that has no number of its own.
const EIO: i32 = 5;
/// No program is longer.
const MAX_PROGRAM_BYTES: u64 = 1 << 30;

#[used]
#[unsafe(link_section = ".lanescope")]
static DESCRIPTOR: ProgramDescriptor = ProgramDescriptor::new(ProgramKind::Dispatcher, None, 0);

/// First entry of a delivery; there is nothing to prepare.
#[unsafe(no_mangle)]
pub extern "C" fn StaticTileFwkBackendKernelServer(_args: *const AicpuArgs) -> i32 {
    0
}

/// Called once after delivery: stores the program that [`DeviceArgs`] names.
///
/// # Safety
///
/// - `args` is null or points to the argument blob of the delivery, whose [`DeviceArgs`] name bytes
///   that the host keeps until the delivery is done.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn DynTileFwkBackendKernelServerInit(args: *const AicpuArgs) -> i32 {
    // SAFETY: null, or the argument blob of the delivery.
    let Some(args) = (unsafe { args.as_ref() }) else {
        return EINVAL;
    };
    let address = args.device_args;
    // SAFETY: the host keeps the arguments of a delivery in device memory until the call returns.
    catch_unwind(|| unsafe { store_program(address) }).unwrap_or(EIO)
}

/// The program is launched by name, never through its dispatcher.
#[unsafe(no_mangle)]
pub extern "C" fn DynTileFwkBackendKernelServer(_args: *const AicpuArgs) -> i32 {
    EINVAL
}

/// # Safety
///
/// - `address` is 0 or that of [`DeviceArgs`] in device memory.
unsafe fn store_program(address: u64) -> i32 {
    if address == 0 || !address.is_multiple_of(8) {
        return EINVAL;
    }
    let Some(device) = store::device() else {
        return EINVAL;
    };
    store::invalidate(&device, address, size_of::<DeviceArgs>() as u64);
    // SAFETY: an aligned word of the arguments.
    let load = |field: usize| unsafe { store::load(&device, address + field as u64) };
    let inner_address = load(offset_of!(DeviceArgs, inner_address));
    let inner_bytes = load(offset_of!(DeviceArgs, inner_bytes));
    let fingerprint = load(offset_of!(DeviceArgs, inner_fingerprint));
    let device_id = load(offset_of!(DeviceArgs, device_id));
    if inner_address == 0 || inner_bytes == 0 || inner_bytes > MAX_PROGRAM_BYTES {
        return EINVAL;
    }
    store::invalidate(&device, inner_address, inner_bytes);
    let name = format!("lanescope_{fingerprint:016x}_{device_id}.so");
    // SAFETY: the host says that the program's bytes are there.
    unsafe { store::store(&device, &name, inner_address, inner_bytes) }
}
