//! Host views of device memory, coherent or not, used alike.

use crate::{DeviceAddress, Result};
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A byte range of a mapping.
pub type Range = std::ops::Range<u64>;

/// A host view of device memory.
///
/// A coherent mapping is the memory itself; the two calls then cost nothing. Otherwise it is a
/// shadow: [`Mapping::invalidate`] copies exactly that range from the device,
/// [`Mapping::flush`] copies exactly that range to it. Nothing ever moves more than was asked for,
/// so a flush cannot roll back a word the device has written.
pub trait Mapping: Send + Sync + fmt::Debug {
    /// Whether the view needs neither call.
    fn is_coherent(&self) -> bool;

    /// Device address of the first byte.
    fn device_address(&self) -> DeviceAddress;

    /// Length of the view.
    fn bytes(&self) -> u64;

    /// First byte of the view on the host; valid, and 64-byte aligned, while the mapping lives.
    fn pointer(&self) -> *mut u8;

    /// Makes the device's writes in `range` visible to the view. Ordered before every later read.
    ///
    /// On a view that is not coherent this writes the range. Threads that ask for the same words keep
    /// each other out, from the call to the last read.
    ///
    /// # Errors
    ///
    /// The driver's refusal; a range outside the view.
    fn invalidate(&self, range: Range) -> Result<()>;

    /// Makes the host's writes in `range` visible to the device. Ordered after every earlier write.
    ///
    /// # Errors
    ///
    /// The driver's refusal; a range outside the view.
    fn flush(&self, range: Range) -> Result<()>;

    /// Bytes copied by the two calls so far; 0 on a coherent mapping.
    fn copied_bytes(&self) -> u64;

    /// The words of the view where a model checker keeps them, instead of memory.
    #[cfg(loom)]
    fn model(&self) -> Option<&dyn ModelWords> {
        None
    }
}

/// The words of a view that a model checker keeps.
#[cfg(loom)]
pub trait ModelWords {
    /// Reads an aligned 4-byte word.
    fn load32(&self, offset: u64, ordering: Ordering) -> u32;
    /// Writes an aligned 4-byte word.
    fn store32(&self, offset: u64, value: u32, ordering: Ordering);
}

/// Checked access to the words of a mapping. Offsets are the caller's own, never the device's:
/// anything read from the device is range-checked before it becomes an offset.
pub trait MappingExt {
    /// Reads an aligned 4-byte word.
    fn load32(&self, offset: u64, ordering: Ordering) -> u32;
    /// Writes an aligned 4-byte word.
    fn store32(&self, offset: u64, value: u32, ordering: Ordering);
    /// Reads an aligned 8-byte word.
    fn load64(&self, offset: u64, ordering: Ordering) -> u64;
    /// Writes an aligned 8-byte word.
    fn store64(&self, offset: u64, value: u64, ordering: Ordering);
    /// Copies bytes out of the view; tearing is possible where the device still writes.
    fn read_bytes(&self, offset: u64, to: &mut [u8]);
    /// Copies bytes into the view.
    fn write_bytes(&self, offset: u64, from: &[u8]);
}

impl<M: Mapping + ?Sized> MappingExt for M {
    fn load32(&self, offset: u64, ordering: Ordering) -> u32 {
        #[cfg(loom)]
        if let Some(model) = self.model() {
            return model.load32(offset, ordering);
        }
        let word = checked(self, offset, 4, 4).cast::<u32>();
        // SAFETY: `checked` proved the word aligned and inside the view, which lives as long as
        // `self`; both sides access it atomically.
        unsafe { AtomicU32::from_ptr(word) }.load(ordering)
    }

    fn store32(&self, offset: u64, value: u32, ordering: Ordering) {
        #[cfg(loom)]
        if let Some(model) = self.model() {
            return model.store32(offset, value, ordering);
        }
        let word = checked(self, offset, 4, 4).cast::<u32>();
        // SAFETY: `checked` returned an aligned word inside the view, which lives as long as `self`; both
        // sides access it atomically.
        unsafe { AtomicU32::from_ptr(word) }.store(value, ordering);
    }

    fn load64(&self, offset: u64, ordering: Ordering) -> u64 {
        #[cfg(loom)]
        if let Some(model) = self.model() {
            let low = model.load32(offset, ordering);
            return u64::from(model.load32(offset + 4, ordering)) << 32 | u64::from(low);
        }
        let word = checked(self, offset, 8, 8).cast::<u64>();
        // SAFETY: `checked` returned an aligned word inside the view, which lives as long as `self`; both
        // sides access it atomically.
        unsafe { AtomicU64::from_ptr(word) }.load(ordering)
    }

    fn store64(&self, offset: u64, value: u64, ordering: Ordering) {
        let word = checked(self, offset, 8, 8).cast::<u64>();
        // SAFETY: `checked` returned an aligned word inside the view, which lives as long as `self`; both
        // sides access it atomically.
        unsafe { AtomicU64::from_ptr(word) }.store(value, ordering);
    }

    fn read_bytes(&self, offset: u64, to: &mut [u8]) {
        #[cfg(loom)]
        if let Some(model) = self.model() {
            for (offset, to) in (offset..).step_by(4).zip(to.chunks_mut(4)) {
                to.copy_from_slice(&model.load32(offset, Ordering::Relaxed).to_le_bytes());
            }
            return;
        }
        let from = checked(self, offset, to.len() as u64, 1);
        // SAFETY: `checked` proved the source inside the view; `to` is a host buffer, so the two
        // cannot overlap; bytes have no invalid values.
        unsafe { std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len()) };
    }

    fn write_bytes(&self, offset: u64, from: &[u8]) {
        let to = checked(self, offset, from.len() as u64, 1);
        // SAFETY: `checked` proved the target inside the view; `from` is a host buffer, so the two
        // cannot overlap.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
    }
}

/// Pointer to `bytes` bytes at `offset`.
///
/// # Panics
///
/// When they lie outside the view or are misaligned: offsets come from our own layout, so that is
/// a bug of the caller.
fn checked<M: Mapping + ?Sized>(mapping: &M, offset: u64, bytes: u64, align: u64) -> *mut u8 {
    let end = offset.checked_add(bytes);
    assert!(
        end.is_some_and(|end| end <= mapping.bytes()) && offset.is_multiple_of(align),
        "offset {offset} + {bytes} outside a view of {} bytes or not a multiple of {align}",
        mapping.bytes()
    );
    let offset = usize::try_from(offset).expect("a view is smaller than the address space");
    // SAFETY: `offset` was proved to lie inside the view, one allocation of `bytes()` bytes.
    unsafe { mapping.pointer().add(offset) }
}
