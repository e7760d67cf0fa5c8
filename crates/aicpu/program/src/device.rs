//! The device this program runs on.

#[cfg(not(all(feature = "chip", target_arch = "aarch64")))]
pub(crate) use lanescope_aicpu::device::TableDevice as ProgramDevice;

#[cfg(all(feature = "chip", target_arch = "aarch64"))]
pub(crate) use lanescope_aicpu::device::ChipDevice as ProgramDevice;

/// The device, or `None` when the simulated driver has bound no table.
pub(crate) fn device() -> Option<ProgramDevice> {
    #[cfg(not(all(feature = "chip", target_arch = "aarch64")))]
    return ProgramDevice::bound();
    #[cfg(all(feature = "chip", target_arch = "aarch64"))]
    return Some(ProgramDevice);
}

/// Binds the device interface of the simulated driver, before any other entry: 0, or 22 for a table
/// that is missing or too short.
///
/// # Safety
///
/// - `table` points to a table whose first word is its length, and which stays as it is while the
///   program is loaded.
#[cfg(not(all(feature = "chip", target_arch = "aarch64")))]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_bind(table: *const lanescope_abi::DeviceTable) -> i32 {
    const EINVAL: i32 = 22;
    // SAFETY: the caller gives a table whose first word is its length, and keeps it.
    match unsafe { ProgramDevice::bind(table) } {
        Ok(()) => 0,
        Err(_) => EINVAL,
    }
}

/// The bound table, for a scheduler in C++; null before `lanescope_bind`.
#[cfg(not(all(feature = "chip", target_arch = "aarch64")))]
#[unsafe(no_mangle)]
pub extern "C" fn lanescope_device() -> *const lanescope_abi::DeviceTable {
    device().map_or(core::ptr::null(), |device| {
        core::ptr::from_ref(device.table())
    })
}
