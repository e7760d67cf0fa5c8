//! The host view of device memory that is a shadow: host memory, copied range by range.
//!
//! # Ordering
//!
//! Copies are blocking, one at a time, and a range is all that moves. The words of one copy arrive in
//! no order, so what must be seen later is asked for in a later call.

use lanescope_cann::Context;
use lanescope_platform::{DeviceAddress, DeviceMemory, Mapping, PlatformError, Range, Result};
use std::alloc::{self, Layout};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Alignment of the shadow; a page, so that the driver can pin it.
const ALIGN_BYTES: usize = 4096;

/// A shadow of device memory, zero until it is invalidated for the first time.
#[derive(Debug)]
pub(crate) struct ShadowMapping {
    shadow: NonNull<u8>,
    layout: Layout,
    bytes: u64,
    copied_bytes: AtomicU64,
    /// Held during each copy: two at once could write the same bytes of the shadow.
    copying: Mutex<()>,
    context: Arc<Context>,
    memory: Arc<dyn DeviceMemory>,
}

// SAFETY: the shadow belongs to this mapping; access goes through atomics or ranges the caller
// owns.
unsafe impl Send for ShadowMapping {}
// SAFETY: no method gives out a reference; access goes through atomics or ranges the caller owns.
unsafe impl Sync for ShadowMapping {}

impl ShadowMapping {
    pub(crate) fn create(
        context: &Arc<Context>,
        memory: &Arc<dyn DeviceMemory>,
        bytes: u64,
    ) -> Result<Self> {
        let too_large = || PlatformError::Config {
            what: "mapping".to_owned(),
            reason: format!("no host memory for a shadow of {bytes} bytes"),
        };
        let layout = usize::try_from(bytes)
            .ok()
            .filter(|bytes| *bytes > 0)
            .and_then(|bytes| Layout::from_size_align(bytes, ALIGN_BYTES).ok())
            .ok_or_else(too_large)?;
        // SAFETY: the layout is not empty.
        let shadow = unsafe { alloc::alloc_zeroed(layout) };
        let shadow = NonNull::new(shadow).ok_or_else(too_large)?;
        Ok(Self {
            shadow,
            layout,
            bytes,
            copied_bytes: AtomicU64::new(0),
            copying: Mutex::new(()),
            context: Arc::clone(context),
            memory: Arc::clone(memory),
        })
    }

    /// Host address, device address and length of a range.
    fn locate(&self, range: &Range) -> Result<(*mut u8, DeviceAddress, u64)> {
        if range.start > range.end || range.end > self.bytes {
            return Err(PlatformError::Config {
                what: "mapping".to_owned(),
                reason: format!("range {range:?} is not within its {} bytes", self.bytes),
            });
        }
        let offset = usize::try_from(range.start).expect("the shadow fits the address space");
        // SAFETY: the offset was just proved to lie in the shadow, or at its end.
        let host = unsafe { self.shadow.as_ptr().add(offset) };
        let device = self.memory.address().offset(range.start);
        Ok((host, device, range.end - range.start))
    }

    fn copying(&self) -> MutexGuard<'_, ()> {
        self.copying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, bytes: u64) {
        self.copied_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Mapping for ShadowMapping {
    fn is_coherent(&self) -> bool {
        false
    }

    fn device_address(&self) -> DeviceAddress {
        self.memory.address()
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn pointer(&self) -> *mut u8 {
        self.shadow.as_ptr()
    }

    fn invalidate(&self, range: Range) -> Result<()> {
        let (host, device, bytes) = self.locate(&range)?;
        let _copying = self.copying();
        // SAFETY:
        // - `locate` proved the range to lie in the shadow, which is writable;
        // - no other copy writes or reads it meanwhile, for `copying` is held;
        // - its words are read by those who asked for the copy, when it has returned, and where
        //   several threads ask for one range they keep each other out meanwhile.
        unsafe { self.context.copy_out(host, device, bytes) }?;
        fence(Ordering::Acquire);
        self.count(bytes);
        Ok(())
    }

    fn flush(&self, range: Range) -> Result<()> {
        let (host, device, bytes) = self.locate(&range)?;
        fence(Ordering::Release);
        let _copying = self.copying();
        // SAFETY:
        // - `locate` proved the range to lie in the shadow, which is readable;
        // - no other copy writes it meanwhile, for `copying` is held;
        // - its words are written by the thread that asks for the copy.
        unsafe { self.context.copy_in(device, host, bytes) }?;
        self.count(bytes);
        Ok(())
    }

    fn copied_bytes(&self) -> u64 {
        self.copied_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for ShadowMapping {
    fn drop(&mut self) {
        // SAFETY: allocated with this very layout, and freed once.
        unsafe { alloc::dealloc(self.shadow.as_ptr(), self.layout) };
    }
}
