//! The host view of device memory that the driver registers: the memory itself.
//!
//! # Who writes what
//!
//! Host and device touch the same bytes, at different addresses. No copies are made.

use cann_sys::bindings::CANN_HAL_DEV_SVM_MAP_HOST;
use lanescope_cann::{Context, hal_result, missing_function};
use lanescope_platform::{DeviceAddress, DeviceMemory, Mapping, PlatformError, Range, Result};
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// The driver maps whole pages.
const PAGE_BYTES: u64 = 4096;

/// A coherent view; registered until dropped.
#[derive(Debug)]
pub(crate) struct RegisteredMapping {
    host: NonNull<u8>,
    bytes: u64,
    context: Arc<Context>,
    /// Freed after the registration is undone.
    memory: Arc<dyn DeviceMemory>,
}

// SAFETY: the view is shared memory that every thread reaches at the same address; access goes
// through atomics or ranges the caller owns.
unsafe impl Send for RegisteredMapping {}
// SAFETY: no method gives out a reference; access goes through atomics or ranges the caller owns.
unsafe impl Sync for RegisteredMapping {}

impl RegisteredMapping {
    /// Registers the first `bytes` bytes of `memory`, rounded up to pages.
    pub(crate) fn register(
        context: &Arc<Context>,
        memory: &Arc<dyn DeviceMemory>,
        bytes: u64,
    ) -> Result<Self> {
        let pages = bytes.next_multiple_of(PAGE_BYTES);
        if !memory.address().0.is_multiple_of(PAGE_BYTES) || pages > memory.bytes() {
            return Err(PlatformError::Config {
                what: "mapping".to_owned(),
                reason: format!(
                    "memory of {} bytes at {:?}, expected whole pages of {PAGE_BYTES} bytes",
                    memory.bytes(),
                    memory.address()
                ),
            });
        }
        let hal = &context.libraries().hal;
        let Ok(function) = hal.halHostRegister else {
            return Err(missing_function("halHostRegister"));
        };
        let _binding = context.bind()?;
        let mut host: *mut c_void = ptr::null_mut();
        // SAFETY:
        // - the range lies in memory that this mapping keeps alive;
        // - `host` is a place for one pointer.
        let code = unsafe {
            function(
                device_pointer(memory.address()),
                pages,
                CANN_HAL_DEV_SVM_MAP_HOST,
                context.driver_id(),
                &raw mut host,
            )
        };
        hal_result("halHostRegister", code)?;
        let Some(host) = NonNull::new(host.cast::<u8>()) else {
            unregister(context, memory.address());
            return Err(PlatformError::Unsupported {
                what: "a host view of device memory",
                reason: "halHostRegister succeeded but gave no address".to_owned(),
            });
        };
        Ok(Self {
            host,
            bytes,
            context: Arc::clone(context),
            memory: Arc::clone(memory),
        })
    }

    fn check(&self, range: &Range) -> Result<()> {
        if range.start <= range.end && range.end <= self.bytes {
            return Ok(());
        }
        Err(PlatformError::Config {
            what: "mapping".to_owned(),
            reason: format!("range {range:?} is not within its {} bytes", self.bytes),
        })
    }
}

impl Mapping for RegisteredMapping {
    fn is_coherent(&self) -> bool {
        true
    }

    fn device_address(&self) -> DeviceAddress {
        self.memory.address()
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn pointer(&self) -> *mut u8 {
        self.host.as_ptr()
    }

    fn invalidate(&self, range: Range) -> Result<()> {
        self.check(&range)
    }

    fn flush(&self, range: Range) -> Result<()> {
        self.check(&range)
    }

    fn copied_bytes(&self) -> u64 {
        0
    }
}

impl Drop for RegisteredMapping {
    fn drop(&mut self) {
        unregister(&self.context, self.memory.address());
    }
}

/// Undoes a registration; the driver knows it by the device address. Where it will not, the memory
/// stays with it until the device is reset: registered memory is not freed.
fn unregister(context: &Context, address: DeviceAddress) {
    let Ok(function) = context.libraries().hal.halHostUnregister else {
        return;
    };
    let _binding = context.bind();
    // SAFETY: the address was registered, and its one view is not used any more.
    let code = unsafe { function(device_pointer(address), context.driver_id()) };
    if let Err(error) = hal_result("halHostUnregister", code) {
        context.leave(address);
        if !context.is_poisoned() {
            log::warn!("{address:?}: {error}");
        }
    }
}

/// A device address as the driver takes it; it is never followed on the host.
fn device_pointer(address: DeviceAddress) -> *mut c_void {
    let address = usize::try_from(address.0).expect("the host is a 64-bit machine");
    ptr::without_provenance_mut(address)
}
