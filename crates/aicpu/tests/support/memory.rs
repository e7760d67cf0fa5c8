//! Shared memory and what an agent believes of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// One allocation of whole lines that threads, cores and host access atomically.
#[derive(Debug)]
pub struct Memory {
    lines: Box<[Line]>,
}

#[derive(Debug)]
#[repr(C, align(64))]
struct Line([AtomicU64; 8]);

impl Memory {
    pub fn new(bytes: u64) -> Self {
        let lines = (0..bytes.div_ceil(64)).map(|_| Line(Default::default()));
        Self {
            lines: lines.collect(),
        }
    }

    /// Its address, which is also the device address.
    pub fn base(&self) -> u64 {
        self.lines.as_ptr().expose_provenance() as u64
    }

    pub fn bytes(&self) -> u64 {
        self.lines.len() as u64 * 64
    }

    /// Whether lines lie inside.
    pub fn holds(&self, address: u64, bytes: u64) -> bool {
        let offset = address.wrapping_sub(self.base());
        address.is_multiple_of(64) && offset < self.bytes() && offset + bytes <= self.bytes()
    }

    /// Fails the test when an access does not lie inside.
    pub fn check(&self, address: u64, width: u64) {
        let end = self.base() + self.bytes();
        assert!(
            address >= self.base() && address + width <= end && address.is_multiple_of(width),
            "access of {width} bytes at {address:#x}, outside the regions"
        );
    }

    fn pointer<T>(&self, address: u64, width: u64) -> *mut T {
        self.check(address, width);
        std::ptr::with_exposed_provenance_mut(usize::try_from(address).unwrap())
    }

    pub fn load32(&self, address: u64) -> u32 {
        let pointer = self.pointer(address, 4);
        // SAFETY: aligned and inside; every access is atomic.
        unsafe { AtomicU32::from_ptr(pointer) }.load(Ordering::SeqCst)
    }

    pub fn load64(&self, address: u64) -> u64 {
        let pointer = self.pointer(address, 8);
        // SAFETY: aligned and inside; every access is atomic.
        unsafe { AtomicU64::from_ptr(pointer) }.load(Ordering::SeqCst)
    }

    pub fn store32(&self, address: u64, value: u32) {
        let pointer = self.pointer(address, 4);
        // SAFETY: aligned and inside; every access is atomic.
        unsafe { AtomicU32::from_ptr(pointer) }.store(value, Ordering::SeqCst);
    }

    pub fn store64(&self, address: u64, value: u64) {
        let pointer = self.pointer(address, 8);
        // SAFETY: aligned and inside; every access is atomic.
        unsafe { AtomicU64::from_ptr(pointer) }.store(value, Ordering::SeqCst);
    }

    pub fn read<T: FromBytes + IntoBytes>(&self, address: u64) -> T {
        let mut value = T::new_zeroed();
        for (address, byte) in (address..).zip(value.as_mut_bytes()) {
            let pointer = self.pointer(address, 1);
            // SAFETY: inside; every access is atomic.
            *byte = unsafe { AtomicU8::from_ptr(pointer) }.load(Ordering::SeqCst);
        }
        value
    }

    pub fn write<T: IntoBytes + Immutable + ?Sized>(&self, address: u64, value: &T) {
        for (address, byte) in (address..).zip(value.as_bytes()) {
            let pointer = self.pointer(address, 1);
            // SAFETY: inside; every access is atomic.
            unsafe { AtomicU8::from_ptr(pointer) }.store(*byte, Ordering::SeqCst);
        }
    }

    fn line(&self, address: u64) -> [u64; 8] {
        std::array::from_fn(|word| self.load64((address & !63) + word as u64 * 8))
    }
}

/// The lines an agent has seen or written, by line address.
#[derive(Debug, Default)]
pub struct View {
    lines: HashMap<u64, Seen>,
}

#[derive(Debug)]
struct Seen {
    words: [u64; 8],
    /// Words written here and not cleaned yet.
    dirty: [bool; 8],
}

impl View {
    fn line(&mut self, memory: &Memory, address: u64) -> &mut Seen {
        self.lines.entry(address & !63).or_insert_with(|| Seen {
            words: memory.line(address),
            dirty: [false; 8],
        })
    }

    pub fn load64(&mut self, memory: &Memory, address: u64) -> u64 {
        memory.check(address, 8);
        self.line(memory, address).words[word(address)]
    }

    pub fn load32(&mut self, memory: &Memory, address: u64) -> u32 {
        memory.check(address, 4);
        let whole = self.line(memory, address).words[word(address)];
        half(whole, address)
    }

    /// A core's store: only this view has it until the line is cleaned.
    pub fn store64(&mut self, memory: &Memory, address: u64, value: u64) {
        memory.check(address, 8);
        let line = self.line(memory, address);
        line.words[word(address)] = value;
        line.dirty[word(address)] = true;
    }

    pub fn store32(&mut self, memory: &Memory, address: u64, value: u32) {
        memory.check(address, 4);
        let whole = self.line(memory, address).words[word(address)];
        self.store64(memory, address & !7, with_half(whole, address, value));
    }

    /// The AICPU's store: visible at once.
    pub fn write_through64(&mut self, memory: &Memory, address: u64, value: u64) {
        memory.store64(address, value);
        if let Some(line) = self.lines.get_mut(&(address & !63)) {
            line.words[word(address)] = value;
        }
    }

    pub fn write_through32(&mut self, memory: &Memory, address: u64, value: u32) {
        memory.store32(address, value);
        if let Some(line) = self.lines.get_mut(&(address & !63)) {
            let whole = line.words[word(address)];
            line.words[word(address)] = with_half(whole, address, value);
        }
    }

    pub fn clean(&mut self, memory: &Memory, address: u64) {
        let Some(line) = self.lines.get_mut(&(address & !63)) else {
            return;
        };
        for (index, dirty) in line.dirty.iter_mut().enumerate() {
            if std::mem::take(dirty) {
                memory.store64((address & !63) + index as u64 * 8, line.words[index]);
            }
        }
    }

    pub fn invalidate(&mut self, address: u64) {
        self.lines.remove(&(address & !63));
    }
}

fn word(address: u64) -> usize {
    usize::try_from(address % 64 / 8).unwrap()
}

#[expect(clippy::cast_possible_truncation, reason = "half a word is wanted")]
fn half(whole: u64, address: u64) -> u32 {
    (whole >> (address % 8 * 8)) as u32
}

fn with_half(whole: u64, address: u64, value: u32) -> u64 {
    let shift = address % 8 * 8;
    whole & !(0xFFFF_FFFF << shift) | u64::from(value) << shift
}
