//! Where a program is stored: the simulated driver's table, or the chip's file system.

#[cfg(not(all(feature = "chip", target_arch = "aarch64")))]
pub(crate) use simulated::*;

#[cfg(all(feature = "chip", target_arch = "aarch64"))]
pub(crate) use chip::*;

use lanescope_abi::Device;

/// Makes what the host has written visible.
pub(crate) fn invalidate<D: Device>(device: &D, address: u64, bytes: u64) {
    device.invalidate_range(address, bytes);
}

/// Reads a word of device memory.
///
/// # Safety
///
/// - `address` is a multiple of 8 and lies in device memory.
pub(crate) unsafe fn load<D: Device>(device: &D, address: u64) -> u64 {
    // SAFETY: the caller gives a multiple of 8 in device memory.
    unsafe { device.load64(address) }
}

#[cfg(not(all(feature = "chip", target_arch = "aarch64")))]
mod simulated {
    use lanescope_abi::DeviceTable;
    use lanescope_aicpu::device::TableDevice;

    pub(crate) fn device() -> Option<TableDevice> {
        TableDevice::bound()
    }

    /// Stores `bytes` bytes at `address` as file `name`.
    ///
    /// # Safety
    ///
    /// - The bytes are there.
    pub(crate) unsafe fn store(device: &TableDevice, name: &str, address: u64, bytes: u64) -> i32 {
        let data = core::ptr::with_exposed_provenance::<u8>(
            usize::try_from(address).expect("device programs have 64-bit addresses"),
        );
        let store = device.table().store_program;
        // SAFETY: name and data are valid for their lengths, the second as the caller says.
        unsafe { store(name.as_ptr(), name.len() as u64, data, bytes) }
    }

    /// Binds the device interface of the simulated driver, before any other entry: 0, or 22 for a
    /// table that is missing or too short.
    ///
    /// # Safety
    ///
    /// - `table` points to a table whose first word is its length, and which stays as it is while the
    ///   program is loaded.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn lanescope_bind(table: *const DeviceTable) -> i32 {
        // SAFETY: the caller gives a table whose first word is its length, and keeps it.
        match unsafe { TableDevice::bind(table) } {
            Ok(()) => 0,
            Err(_) => crate::EINVAL,
        }
    }
}

#[cfg(all(feature = "chip", target_arch = "aarch64"))]
mod chip {
    use lanescope_aicpu::device::ChipDevice;
    use std::fs;
    use std::io;
    use std::path::Path;

    /// Where the AICPU looks for the files that a launch by name names.
    const FOLDER: &str = "/usr/lib64/aicpu_kernels/0/aicpu_kernels_device";

    pub(crate) fn device() -> Option<ChipDevice> {
        Some(ChipDevice)
    }

    /// Stores `bytes` bytes at `address` as file `name`, which never exists half-written.
    ///
    /// # Safety
    ///
    /// - The bytes are there.
    pub(crate) unsafe fn store(_: &ChipDevice, name: &str, address: u64, bytes: u64) -> i32 {
        let length = usize::try_from(bytes).expect("device programs have 64-bit addresses");
        let data = core::ptr::with_exposed_provenance::<u8>(
            usize::try_from(address).expect("device programs have 64-bit addresses"),
        );
        // SAFETY: the caller says that the bytes are there; nobody writes them during a delivery.
        let data = unsafe { core::slice::from_raw_parts(data, length) };
        match write(name, data) {
            Ok(()) => 0,
            Err(error) => error.raw_os_error().unwrap_or(crate::EIO),
        }
    }

    fn write(name: &str, data: &[u8]) -> io::Result<()> {
        let unfinished = Path::new(FOLDER).join(format!("{name}.{}", std::process::id()));
        fs::write(&unfinished, data)
            .and_then(|()| fs::rename(&unfinished, Path::new(FOLDER).join(name)))
            .inspect_err(|_| {
                // The first error is the one to report.
                let _ = fs::remove_file(&unfinished);
            })
    }
}
