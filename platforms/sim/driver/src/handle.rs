//! Handles: what stands behind the opaque pointers the caller gets.
//!
//! A handle is a number, not an address: a non-canonical one, so whoever dereferences it faults. A
//! serial number is never given twice, so a stale handle is found out.

use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, Ordering};

/// What a handle names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Stream = 1,
    Kernel = 2,
    Binary = 3,
    Function = 4,
}

/// A handle taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handle {
    pub(crate) kind: Kind,
    /// Logical device.
    pub(crate) device: usize,
    pub(crate) serial: u32,
}

const TAG: usize = 0x5A << 48;
const DEVICE_SHIFT: u32 = 44;
const KIND_SHIFT: u32 = 40;
const SERIAL_SHIFT: u32 = 4;

static NEXT_SERIAL: AtomicU32 = AtomicU32::new(1);

impl Handle {
    /// A handle nobody has had.
    pub(crate) fn new(kind: Kind, device: usize) -> Self {
        Self {
            kind,
            device,
            serial: NEXT_SERIAL.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// As the caller holds it.
    pub(crate) fn to_pointer(self) -> *mut c_void {
        let kind = self.kind as usize;
        let number = TAG
            | self.device << DEVICE_SHIFT
            | kind << KIND_SHIFT
            | (self.serial as usize) << SERIAL_SHIFT;
        std::ptr::without_provenance_mut(number)
    }

    /// What the caller holds, if it looks like a handle of this kind.
    pub(crate) fn from_pointer(kind: Kind, pointer: *const c_void) -> Option<Self> {
        let number = pointer.addr();
        let handle = Self {
            kind,
            device: number >> DEVICE_SHIFT & 0xF,
            serial: u32::try_from(number >> SERIAL_SHIFT & 0xFFFF_FFFF).ok()?,
        };
        (handle.to_pointer().addr() == number).then_some(handle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_come_back_and_nothing_else_does() {
        let stream = Handle::new(Kind::Stream, 7);
        let pointer = stream.to_pointer();
        assert_eq!(Handle::from_pointer(Kind::Stream, pointer), Some(stream));
        assert_eq!(Handle::from_pointer(Kind::Kernel, pointer), None);
        assert_eq!(
            Handle::from_pointer(Kind::Stream, pointer.wrapping_byte_add(1)),
            None
        );
        assert_eq!(Handle::from_pointer(Kind::Stream, std::ptr::null()), None);
        let local = 0;
        assert_eq!(
            Handle::from_pointer(Kind::Stream, (&raw const local).cast()),
            None
        );
        assert_ne!(Handle::new(Kind::Stream, 7), stream);
    }
}
