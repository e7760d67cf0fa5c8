//! Device memory as a file, and the driver's views of it.

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

/// The memory of one device.
///
/// The file is as long as the last address of the device is far from the first address of all; of
/// that, this device uses the last `bytes` bytes. The rest, which is never touched, costs nothing.
#[derive(Debug)]
pub(crate) struct Memory {
    file: OwnedFd,
    first_byte: u64,
    whole: View,
}

impl Memory {
    /// `bytes` bytes from `first_byte` of a new file.
    pub(crate) fn new(first_byte: u64, bytes: u64) -> io::Result<Self> {
        let file = memfd_create("lanescope-sim-memory", MemfdFlags::CLOEXEC)?;
        ftruncate(&file, first_byte + bytes)?;
        let whole = View::new(file.as_fd(), first_byte, bytes)?;
        Ok(Self {
            file,
            first_byte,
            whole,
        })
    }

    /// The file, for the device process.
    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Length of the file.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.first_byte + self.whole.bytes as u64
    }

    /// The driver's own view, which no caller ever learns of.
    pub(crate) fn whole(&self) -> &View {
        &self.whole
    }

    /// A further view, at an address of its own; `offset` is a multiple of the page size.
    pub(crate) fn view(&self, offset: u64, bytes: u64) -> io::Result<View> {
        View::new(self.file(), self.first_byte + offset, bytes)
    }
}

/// A shared mapping of a part of the file, unmapped when dropped.
#[derive(Debug)]
pub(crate) struct View {
    pointer: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a view is a plain shared mapping; whoever accesses it does so through raw pointers or
// atomics, and unmapping needs `&mut`.
unsafe impl Send for View {}
// SAFETY: no method gives out a reference to the bytes.
unsafe impl Sync for View {}

impl View {
    fn new(file: BorrowedFd<'_>, offset: u64, bytes: u64) -> io::Result<Self> {
        let bytes = usize::try_from(bytes).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::SHARED | MapFlags::NORESERVE;
        // SAFETY: no address is asked for, so nothing that is mapped is replaced.
        let pointer =
            unsafe { mmap(std::ptr::null_mut(), bytes, protection, flags, file, offset) }?;
        let pointer = NonNull::new(pointer.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { pointer, bytes })
    }

    /// First byte.
    pub(crate) fn pointer(&self) -> *mut u8 {
        self.pointer.as_ptr()
    }

    /// Length.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: the range is what `new` mapped, and nothing unmapped it since. Host code that kept
        // an address in it breaks the vendor's rule that a registration ends before its memory.
        let unmapped = unsafe { munmap(self.pointer().cast(), self.bytes) };
        debug_assert!(unmapped.is_ok(), "a view is mapped until it is dropped");
    }
}
