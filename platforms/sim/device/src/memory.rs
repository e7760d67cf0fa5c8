//! Device memory: the shared file as the device process maps it.
//!
//! # Who writes what
//!
//! The host maps the same file, so every access is an atomic word, relaxed; the one engine thread
//! gives the order among agents. Whatever is not inside the mapping is refused, never touched.

use crate::error::DeviceProcessError;
use rustix::fd::BorrowedFd;
use rustix::mm::{MapFlags, ProtFlags};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Bytes of a line.
pub const LINE_BYTES: u64 = lanescope_abi::LINE_BYTES;

/// A line as words.
pub type Line = [u64; 8];

/// Device memory. Its mapping lasts as long as the process.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    base: u64,
    bytes: u64,
}

impl Memory {
    /// Maps the first `bytes` bytes of a file at a fixed device address.
    ///
    /// # Errors
    ///
    /// [`DeviceProcessError::Map`] when the address is taken or the file cannot be mapped.
    pub fn map(file: BorrowedFd<'_>, base: u64, bytes: u64) -> Result<Self, DeviceProcessError> {
        let refused = |source| DeviceProcessError::Map {
            base,
            bytes,
            source,
        };
        let length = usize::try_from(bytes).map_err(|_| refused(rustix::io::Errno::NOMEM))?;
        let address = usize::try_from(base).map_err(|_| refused(rustix::io::Errno::NOMEM))?;
        // SAFETY:
        // - FIXED_NOREPLACE never replaces a mapping, so no live memory is unmapped.
        // - The range is new to this process; only atomic accesses through this type and device
        //   code touch it.
        let mapped = unsafe {
            rustix::mm::mmap(
                std::ptr::without_provenance_mut(address),
                length,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED | MapFlags::FIXED_NOREPLACE,
                file,
                0,
            )
        }
        .map_err(refused)?;
        // Kernels older than the flag take the address as a hint only.
        if mapped.expose_provenance() != address {
            return Err(refused(rustix::io::Errno::EXIST));
        }
        Ok(Self {
            base,
            bytes: bytes & !(LINE_BYTES - 1),
        })
    }

    /// Private memory wherever there is room; for tests and benches.
    ///
    /// # Errors
    ///
    /// [`DeviceProcessError::Map`] when there is no room.
    pub fn anonymous(bytes: u64) -> Result<Self, DeviceProcessError> {
        let refused = |source| DeviceProcessError::Map {
            base: 0,
            bytes,
            source,
        };
        let length = usize::try_from(bytes).map_err(|_| refused(rustix::io::Errno::NOMEM))?;
        // SAFETY: no address is asked for, so nothing is replaced.
        let mapped = unsafe {
            rustix::mm::mmap_anonymous(
                std::ptr::null_mut(),
                length,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        }
        .map_err(refused)?;
        Ok(Self {
            base: mapped.expose_provenance() as u64,
            bytes: bytes & !(LINE_BYTES - 1),
        })
    }

    /// Device address of the first byte.
    #[must_use]
    pub const fn base(&self) -> u64 {
        self.base
    }

    /// Whether `bytes` bytes from `address` are device memory.
    #[must_use]
    #[inline]
    pub const fn contains(&self, address: u64, bytes: u64) -> bool {
        let offset = address.wrapping_sub(self.base);
        offset < self.bytes && bytes <= self.bytes - offset
    }

    /// Whether `address` is a multiple of `bytes`, at most a line, and in memory; so is then the
    /// whole word, for memory begins and ends with a line.
    #[must_use]
    #[inline]
    pub const fn has_word(&self, address: u64, bytes: u64) -> bool {
        address & (bytes - 1) == 0 && address.wrapping_sub(self.base) < self.bytes
    }

    /// The aligned 8-byte word at `address`, if there is one.
    #[must_use]
    #[inline]
    pub fn word64(&self, address: u64) -> Option<&'static AtomicU64> {
        if !self.has_word(address, 8) {
            return None;
        }
        let pointer = pointer::<u64>(address);
        // SAFETY:
        // - In bounds of the mapping, which lasts as long as the process, and aligned.
        // - Nobody makes a plain reference to device memory; all access is atomic.
        Some(unsafe { AtomicU64::from_ptr(pointer) })
    }

    /// The aligned 4-byte word at `address`, if there is one.
    #[must_use]
    #[inline]
    pub fn word32(&self, address: u64) -> Option<&'static AtomicU32> {
        if !self.has_word(address, 4) {
            return None;
        }
        let pointer = pointer::<u32>(address);
        // SAFETY:
        // - In bounds of the mapping, which lasts as long as the process, and aligned.
        // - Nobody makes a plain reference to device memory; all access is atomic.
        Some(unsafe { AtomicU32::from_ptr(pointer) })
    }

    /// The words of the line at `line`, a multiple of 64, if there is one.
    #[must_use]
    #[inline]
    fn line(&self, line: u64) -> Option<&'static [AtomicU64; 8]> {
        if !self.has_word(line, LINE_BYTES) {
            return None;
        }
        let pointer = pointer::<[AtomicU64; 8]>(line);
        // SAFETY: `has_word` found the line inside the mapping, which lasts as long as the process, and
        // aligned; every access to its words is atomic.
        Some(unsafe { &*pointer })
    }

    /// Reads a line, if there is one.
    #[must_use]
    #[inline]
    pub fn read_line(&self, line: u64) -> Option<Line> {
        let words = self.line(line)?;
        Some(std::array::from_fn(|i| words[i].load(Ordering::Relaxed)))
    }

    /// Writes a line in address order; does nothing when there is none.
    #[inline]
    pub fn write_line(&self, line: u64, words: &Line) {
        if let Some(target) = self.line(line) {
            for (target, word) in target.iter().zip(words) {
                target.store(*word, Ordering::Release);
            }
        }
    }

    /// Writes bytes in address order, each word at once; does nothing when they do not all fit. What
    /// shares a word with the first or the last byte is written back as it was.
    pub fn write_bytes(&self, address: u64, bytes: &[u8]) {
        if !self.contains(address, bytes.len() as u64) {
            return;
        }
        for WordPart {
            address,
            value,
            mask,
        } in words_over(address, bytes)
        {
            if let Some(word) = self.word64(address) {
                let around = if mask == u64::MAX {
                    0
                } else {
                    word.load(Ordering::Relaxed) & !mask
                };
                word.store(around | value, Ordering::Release);
            }
        }
    }

    /// A copy of `bytes` bytes from `address`, or `None` when they are not all device memory.
    #[must_use]
    pub fn copy(&self, address: u64, bytes: u64) -> Option<Vec<u8>> {
        if !self.contains(address, bytes) {
            return None;
        }
        let mut copy = Vec::with_capacity(usize::try_from(bytes).ok()?);
        let mut word_address = address & !7;
        while word_address < address + bytes {
            let word = self.word64(word_address)?.load(Ordering::Relaxed);
            for (i, byte) in (word_address..).zip(word.to_le_bytes()) {
                if i >= address && i < address + bytes {
                    copy.push(byte);
                }
            }
            word_address += 8;
        }
        Some(copy)
    }
}

/// What some bytes are of an aligned word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordPart {
    /// Of the word.
    pub address: u64,
    /// The bytes, at their place in the word, and zeros.
    pub value: u64,
    /// All ones where they are.
    pub mask: u64,
}

/// The words that `bytes` at `address` make up, in order.
pub fn words_over(address: u64, bytes: &[u8]) -> impl Iterator<Item = WordPart> + '_ {
    let lead = (address & 7) as usize;
    let begin = address & !7;
    let count = (lead + bytes.len()).div_ceil(8);
    (begin..)
        .step_by(8)
        .take(count)
        .enumerate()
        .map(move |(index, address)| {
            let whole = (8 * index).checked_sub(lead);
            if let Some(word) = whole.and_then(|from| bytes.get(from..from + 8)) {
                let word: [u8; 8] = word.try_into().expect("eight bytes were taken");
                return WordPart {
                    address,
                    value: u64::from_le_bytes(word),
                    mask: u64::MAX,
                };
            }
            let mut part = [[0; 8]; 2];
            let [value, mask] = &mut part;
            for (place, (value, mask)) in value.iter_mut().zip(mask).enumerate() {
                let byte = (8 * index + place).checked_sub(lead);
                if let Some(byte) = byte.and_then(|at| bytes.get(at)) {
                    (*value, *mask) = (*byte, 0xFF);
                }
            }
            let [value, mask] = part.map(u64::from_le_bytes);
            WordPart {
                address,
                value,
                mask,
            }
        })
}

/// A device address as a pointer: this process maps device memory at its own addresses.
#[must_use]
#[inline]
pub fn pointer<T>(address: u64) -> *mut T {
    // An address that does not fit becomes null, which is never device memory.
    std::ptr::with_exposed_provenance_mut(usize::try_from(address).unwrap_or(0))
}

/// The line an address lies in.
#[must_use]
#[inline]
pub fn line_of(address: u64) -> u64 {
    address & !(LINE_BYTES - 1)
}

/// Which word of its line an address lies in.
#[must_use]
#[inline]
pub fn word_of(address: u64) -> usize {
    (address >> 3 & 7) as usize
}

/// The 4-byte word at an address, out of the 8-byte word around it.
#[must_use]
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "takes one half")]
pub fn half(word: u64, address: u64) -> u32 {
    (word >> (8 * (address & 4))) as u32
}

/// The 8-byte word around an address, with another 4-byte word at the address.
#[must_use]
#[inline]
pub fn with_half(word: u64, address: u64, value: u32) -> u64 {
    let shift = 8 * (address & 4);
    word & !(0xFFFF_FFFF << shift) | u64::from(value) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_is_reachable() {
        let memory = Memory::anonymous(4096).unwrap();
        let base = memory.base();
        assert!(memory.word64(base + 4088).is_some());
        assert!(memory.word64(base + 4092).is_none());
        assert!(memory.word32(base + 4092).is_some());
        assert!(memory.word32(base + 4096).is_none());
        assert!(memory.word32(base - 4).is_none());
        assert!(memory.word32(base + 2).is_none());
        assert!(memory.copy(base + 4000, 97).is_none());
        assert!(memory.copy(base + 4000, u64::MAX).is_none());
    }

    #[test]
    fn copies_need_no_alignment() {
        let memory = Memory::anonymous(4096).unwrap();
        let word = u64::from_le_bytes(*b"abcdefgh");
        memory
            .word64(memory.base() + 8)
            .unwrap()
            .store(word, Ordering::Relaxed);
        assert_eq!(memory.copy(memory.base() + 9, 5).unwrap(), b"bcdef");
    }

    #[test]
    fn bytes_are_written_at_any_place_and_nothing_beside_them() {
        let memory = Memory::anonymous(4096).unwrap();
        let base = memory.base();
        for from in 0..9 {
            for length in 0..26usize {
                memory.write_bytes(base, &[0xEE; 48]);
                let bytes: Vec<u8> = (1..=26).collect();
                memory.write_bytes(base + from, &bytes[..length]);
                let mut expected = [0xEE; 48];
                let begin = usize::try_from(from).unwrap();
                expected[begin..begin + length].copy_from_slice(&bytes[..length]);
                assert_eq!(memory.copy(base, 48).unwrap(), expected, "{from} {length}");
            }
        }
        memory.write_bytes(base + 4090, &[1; 7]);
        assert_eq!(memory.copy(base + 4088, 8).unwrap(), [0; 8]);
    }
}
