//! The device interface on the chip itself: an aarch64 AICPU.
//!
//! Shared words are ordinary memory, registers are device memory, the system counter is the virtual
//! counter. Cache maintenance goes to the point of coherency, where cores and DMA meet the AICPU.

use core::arch::asm;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use lanescope_abi::{Awaited, Barrier, Checksum, Device, LINE_BYTES};

/// The AICPU that runs this code.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChipDevice;

impl Device for ChipDevice {
    #[inline]
    unsafe fn load32(&self, address: u64) -> u32 {
        // SAFETY: the caller promises an aligned word of shared memory.
        unsafe { AtomicU32::from_ptr(address as *mut u32) }.load(Ordering::Relaxed)
    }

    #[inline]
    unsafe fn load64(&self, address: u64) -> u64 {
        // SAFETY: the caller promises an aligned word of shared memory.
        unsafe { AtomicU64::from_ptr(address as *mut u64) }.load(Ordering::Relaxed)
    }

    #[inline]
    unsafe fn store32(&self, address: u64, value: u32) {
        // SAFETY: the caller promises an aligned word of shared memory.
        unsafe { AtomicU32::from_ptr(address as *mut u32) }.store(value, Ordering::Relaxed);
    }

    #[inline]
    unsafe fn store64(&self, address: u64, value: u64) {
        // SAFETY: the caller promises an aligned word of shared memory.
        unsafe { AtomicU64::from_ptr(address as *mut u64) }.store(value, Ordering::Relaxed);
    }

    #[inline]
    fn clean(&self, address: u64) {
        // SAFETY: cleaning a line changes no value that a program sees.
        unsafe { asm!("dc cvac, {0}", in(reg) address, options(nostack, preserves_flags)) };
    }

    #[inline]
    fn invalidate(&self, address: u64) {
        // SAFETY: clean and invalidate: nothing that was written is lost.
        unsafe {
            asm!("dc civac, {0}", "dsb sy", in(reg) address, options(nostack, preserves_flags))
        };
    }

    #[inline]
    fn barrier(&self, barrier: Barrier) {
        match barrier {
            // SAFETY: a barrier has no other effect.
            Barrier::Load => unsafe { asm!("dsb ld", options(nostack, preserves_flags)) },
            // SAFETY: a barrier has no other effect. Earlier loads count too, hence not `dsb st`.
            Barrier::Store => unsafe { asm!("dsb sy", options(nostack, preserves_flags)) },
        }
    }

    #[inline]
    unsafe fn read_reg(&self, address: u64) -> u32 {
        // SAFETY: the caller promises a register of the table.
        unsafe { core::ptr::read_volatile(address as *const u32) }
    }

    #[inline]
    unsafe fn write_reg(&self, address: u64, value: u32) {
        // SAFETY: the caller promises a register of the table that this agent writes.
        unsafe { core::ptr::write_volatile(address as *mut u32, value) };
    }

    #[inline]
    fn ticks(&self) -> u64 {
        let ticks: u64;
        // SAFETY: reads a counter that user code may read; `isb` keeps it from being read early.
        unsafe {
            asm!("isb", "mrs {0}, cntvct_el0", out(reg) ticks, options(nostack, preserves_flags))
        };
        ticks
    }

    #[inline]
    fn relax(&self, _: &Awaited<'_>) {
        core::hint::spin_loop();
    }

    unsafe fn copy(&self, to: u64, from: u64, bytes: u64) {
        let (to, from) = (to as *mut u8, from as *const u8);
        let count = usize::try_from(bytes).unwrap_or(usize::MAX);
        // SAFETY:
        // - The caller promises that many bytes at both addresses, and that nobody writes them meanwhile.
        // - Bytes need no alignment.
        unsafe { core::ptr::copy(from, to, count) };
    }

    unsafe fn copy_summed(&self, to: u64, from: u64, bytes: u64, checksum: &mut Checksum) {
        for offset in (0..bytes).step_by(64) {
            // SAFETY: a line's worth of bytes that the caller promises, and that nobody writes meanwhile.
            let words = unsafe { core::ptr::read_unaligned((from + offset) as *const [u64; 8]) };
            checksum.line(&words);
            // SAFETY: a line that the caller promises, and that this agent alone writes.
            unsafe { core::ptr::write((to + offset) as *mut [u64; 8], words) };
        }
    }

    fn invalidate_range(&self, address: u64, bytes: u64) {
        let mut line = address & !(LINE_BYTES - 1);
        while line < address + bytes {
            // SAFETY: clean and invalidate: nothing that was written is lost.
            unsafe { asm!("dc civac, {0}", in(reg) line, options(nostack, preserves_flags)) };
            line += LINE_BYTES;
        }
        // SAFETY: a barrier has no other effect.
        unsafe { asm!("dsb sy", options(nostack, preserves_flags)) };
    }
}
