//! Device memory, and copies to and from it.

use crate::Context;
use crate::calls::function;
use cann_sys::bindings::{
    CANN_RT_COPY_DEVICE_TO_HOST, CANN_RT_COPY_HOST_TO_DEVICE, CANN_RT_MEMORY_HBM,
};
use lanescope_platform::{DeviceAddress, DeviceMemory, PlatformError, Result};
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

/// Owned device memory, freed when dropped.
#[derive(Debug)]
pub struct Memory {
    context: Arc<Context>,
    address: DeviceAddress,
    bytes: u64,
}

/// Alignment promised from this size on.
const PAGE_BYTES: u64 = 4096;
/// The driver's large page; an allocation of whole large pages starts on one.
const LARGE_PAGE_BYTES: u64 = 2 << 20;

impl Memory {
    /// Allocates at least `bytes` bytes.
    ///
    /// # Errors
    ///
    /// The driver's refusal; [`PlatformError::DevicePoisoned`].
    pub fn allocate(context: &Arc<Context>, bytes: u64) -> Result<Self> {
        context.check()?;
        if bytes == 0 {
            return Err(PlatformError::Config {
                what: "device memory".to_owned(),
                reason: "0 bytes asked for, expected at least 1".to_owned(),
            });
        }
        let too_much = || PlatformError::Config {
            what: "device memory".to_owned(),
            reason: format!("{bytes} bytes are more than an address can count"),
        };
        if bytes < PAGE_BYTES {
            return Self::allocate_exactly(context, bytes);
        }
        let pages = bytes
            .checked_next_multiple_of(PAGE_BYTES)
            .ok_or_else(too_much)?;
        let memory = Self::allocate_exactly(context, pages)?;
        if memory.is_page_aligned() {
            return Ok(memory);
        }
        drop(memory);
        let large_pages = bytes
            .checked_next_multiple_of(LARGE_PAGE_BYTES)
            .ok_or_else(too_much)?;
        let memory = Self::allocate_exactly(context, large_pages)?;
        if memory.is_page_aligned() {
            return Ok(memory);
        }
        Err(PlatformError::Unsupported {
            what: "page-aligned device memory",
            reason: format!("the driver gave {:?}", memory.address),
        })
    }

    /// Allocates memory and fills it with `content`.
    ///
    /// # Errors
    ///
    /// As for [`Memory::allocate`], and of the copy.
    pub fn holding(context: &Arc<Context>, content: &[u8]) -> Result<Self> {
        let memory = Self::allocate(context, content.len() as u64)?;
        context.copy_to_device(memory.address, content)?;
        Ok(memory)
    }

    fn allocate_exactly(context: &Arc<Context>, bytes: u64) -> Result<Self> {
        let function = function!(context.libraries().runtime, rtMalloc)?;
        let _binding = context.bind()?;
        let mut pointer = ptr::null_mut();
        // SAFETY: `pointer` is a place for one pointer; the other arguments are numbers.
        let code = unsafe { function(&raw mut pointer, bytes, CANN_RT_MEMORY_HBM, 0) };
        context.runtime_result("rtMalloc", code)?;
        Ok(Self {
            context: Arc::clone(context),
            address: DeviceAddress(pointer.addr() as u64),
            bytes,
        })
    }

    fn is_page_aligned(&self) -> bool {
        self.address.0.is_multiple_of(PAGE_BYTES)
    }
}

impl DeviceMemory for Memory {
    fn address(&self) -> DeviceAddress {
        self.address
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let address = self.address;
        self.context.release(move |context| free(context, address));
    }
}

fn free(context: &Context, address: DeviceAddress) {
    if context.is_left(address) {
        return;
    }
    let Ok(function) = function!(context.libraries().runtime, rtFree) else {
        return;
    };
    // SAFETY: the address came from `rtMalloc`, is freed once, and every view of it held the memory,
    // so none is left; no program of the device uses it. The call needs no bound thread.
    let code = unsafe { function(device_pointer(address)) };
    if let Err(error) = context.runtime_result("rtFree", code)
        && !context.is_poisoned()
    {
        log::warn!("{address:?} not freed: {error}");
    }
}

impl Context {
    /// Copies host bytes to the device.
    ///
    /// # Errors
    ///
    /// The driver's refusal.
    pub fn copy_to_device(&self, to: DeviceAddress, from: &[u8]) -> Result<()> {
        // SAFETY: `from` is readable for its length.
        unsafe { self.copy_in(to, from.as_ptr(), from.len() as u64) }
    }

    /// Copies device bytes to the host.
    ///
    /// # Errors
    ///
    /// The driver's refusal.
    pub fn copy_to_host(&self, to: &mut [u8], from: DeviceAddress) -> Result<()> {
        // SAFETY: `to` is writable for its length and borrowed by nobody else.
        unsafe { self.copy_out(to.as_mut_ptr(), from, to.len() as u64) }
    }

    /// Copies `bytes` bytes at the host address `from` to the device.
    ///
    /// # Safety
    ///
    /// - `from` is readable for `bytes` bytes; other threads touch them with atomics at most.
    ///
    /// # Errors
    ///
    /// The driver's refusal.
    pub unsafe fn copy_in(&self, to: DeviceAddress, from: *const u8, bytes: u64) -> Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        let kind = CANN_RT_COPY_HOST_TO_DEVICE;
        // SAFETY: the caller vouches for the source; the driver checks the device range.
        unsafe { self.copy(device_pointer(to), from.cast(), bytes, kind) }
    }

    /// Copies `bytes` bytes of the device to the host address `to`.
    ///
    /// # Safety
    ///
    /// - `to` is writable for `bytes` bytes; other threads touch them with atomics at most.
    ///
    /// # Errors
    ///
    /// The driver's refusal.
    pub unsafe fn copy_out(&self, to: *mut u8, from: DeviceAddress, bytes: u64) -> Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        let kind = CANN_RT_COPY_DEVICE_TO_HOST;
        // SAFETY: the caller vouches for the target; the driver checks the device range.
        unsafe { self.copy(to.cast(), device_pointer(from), bytes, kind) }
    }

    /// # Safety
    ///
    /// - The host side of the copy is valid for `bytes` bytes in the direction of `kind`.
    unsafe fn copy(
        &self,
        to: *mut c_void,
        from: *const c_void,
        bytes: u64,
        kind: u32,
    ) -> Result<()> {
        let function = function!(self.libraries().runtime, rtMemcpy)?;
        let _binding = self.bind()?;
        // SAFETY: the caller vouches for the host side; the driver checks the device side; both
        // are `bytes` long.
        let code = unsafe { function(to, bytes, from, bytes, kind) };
        self.runtime_result("rtMemcpy", code)
    }
}

/// A device address as the driver takes it; it is never followed on the host.
pub(crate) fn device_pointer(address: DeviceAddress) -> *mut c_void {
    let address = usize::try_from(address.0).expect("the host is a 64-bit machine");
    ptr::without_provenance_mut(address)
}
