//! The device interface: the only way device code touches shared words, registers and time.
//!
//! # Where it sits
//!
//! `aicpu` is generic over [`Device`]. On the chip every call is inlined. In simulator builds each
//! goes through the [`DeviceTable`] given to the program's `lanescope_bind` entry. Benches and
//! model checks bring their own.
//!
//! # Ordering
//!
//! `load` and `store` are single-copy atomic and otherwise relaxed; [`Barrier`] orders them. A
//! store is visible to the AICPU and to DMA once a store barrier has passed; a store of a core is
//! visible to others only once its line is cleaned and a barrier has passed. A load may return old
//! bytes until its line is invalidated. Registers are never stale.

use crate::Checksum;

/// Which earlier accesses a barrier orders before which later ones.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// Earlier loads before later loads and stores.
    Load = 0,
    /// Earlier loads, stores and cleans before later stores.
    Store = 1,
}

/// Who can end a wait for a word.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwaitedBy {
    /// A core or an AICPU thread.
    Device = 0,
    /// The host, and the device cannot go on before it does: a free buffer. `pair_address` is the
    /// lane's `ready_tail`.
    HostBuffer = 1,
    /// The host, which may never do so: a launch that is still to come, or an abort.
    HostSignal = 2,
    /// The host, and the device cannot go on before it does: room in an arena. The word is the low
    /// half of the lane's `arena_head`, `seen` what it must have reached; `pair_address` is the
    /// lane's `ready_tail`.
    HostRoom = 3,
}

/// A 4-byte word that a waiting agent would read next.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AwaitedWord {
    /// Its address.
    pub address: u64,
    /// The value that was seen; the wait ends when it is another. See [`AwaitedBy::HostRoom`].
    pub seen: u32,
    /// [`AwaitedBy`] as a number.
    pub by: u32,
    /// See [`AwaitedBy::HostBuffer`]; else 0.
    pub pair_address: u64,
}

/// What an agent that calls `relax` waits for. Any one of it ends the wait; so may nothing at all:
/// `relax` is a hint, and the caller polls again.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Awaited<'a> {
    /// Registers, any of which may change.
    registers: *const u64,
    /// Words, any of which may change.
    words: *const AwaitedWord,
    register_count: u32,
    word_count: u32,
    /// The caller looks again at this time at the latest; `u64::MAX` when it has no limit.
    pub deadline_ticks: u64,
    /// A static name for error messages, without a terminating zero.
    name: *const u8,
    name_bytes: u64,
    lifetime: core::marker::PhantomData<(&'a [u64], &'a [AwaitedWord])>,
}

impl<'a> Awaited<'a> {
    /// Names what is awaited; `name` stands in the error of a wait that cannot end.
    ///
    /// # Panics
    ///
    /// Never: lists longer than `u32::MAX` are cut.
    #[must_use]
    pub fn new(
        name: &'static str,
        registers: &'a [u64],
        words: &'a [AwaitedWord],
        deadline_ticks: u64,
    ) -> Self {
        Self {
            registers: registers.as_ptr(),
            words: words.as_ptr(),
            register_count: u32::try_from(registers.len()).unwrap_or(u32::MAX),
            word_count: u32::try_from(words.len()).unwrap_or(u32::MAX),
            deadline_ticks,
            name: name.as_ptr(),
            name_bytes: name.len() as u64,
            lifetime: core::marker::PhantomData,
        }
    }

    /// The registers.
    #[must_use]
    pub fn registers(&self) -> &'a [u64] {
        // SAFETY: `new` took pointer and length from one slice that lives for 'a; the C++ side
        // fills the same fields from an array that outlives the call.
        unsafe { slice_or_empty(self.registers, self.register_count as usize) }
    }

    /// The words.
    #[must_use]
    pub fn words(&self) -> &'a [AwaitedWord] {
        // SAFETY: `new` took pointer and length from one slice that lives for 'a; the C++ side
        // fills the same fields from an array that outlives the call.
        unsafe { slice_or_empty(self.words, self.word_count as usize) }
    }

    /// What is awaited, for a message.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let length = usize::try_from(self.name_bytes).unwrap_or(0);
        // SAFETY: the name is a static string on the Rust side and a string literal in C++.
        let bytes = unsafe { slice_or_empty(self.name, length) };
        core::str::from_utf8(bytes).unwrap_or("?")
    }
}

/// A slice, or the empty one for a null pointer.
///
/// # Safety
///
/// - Unless null, `pointer` is valid for reads of `length` items for `'a`, and nobody writes them.
unsafe fn slice_or_empty<'a, T>(pointer: *const T, length: usize) -> &'a [T] {
    if pointer.is_null() || length == 0 {
        return &[];
    }
    // SAFETY: not null, so valid for `length` items that nobody writes during 'a.
    unsafe { core::slice::from_raw_parts(pointer, length) }
}

/// What device code may do to the world.
///
/// Addresses are device addresses and naturally aligned.
pub trait Device {
    /// Reads a shared 4-byte word.
    ///
    /// # Safety
    ///
    /// - `address` lies in an attached region and is a multiple of 4.
    unsafe fn load32(&self, address: u64) -> u32;
    /// Reads a shared 8-byte word.
    ///
    /// # Safety
    ///
    /// - `address` lies in an attached region and is a multiple of 8.
    unsafe fn load64(&self, address: u64) -> u64;
    /// Writes a shared 4-byte word.
    ///
    /// # Safety
    ///
    /// - `address` lies in an attached region, is a multiple of 4, and this agent is its writer.
    unsafe fn store32(&self, address: u64, value: u32);
    /// Writes a shared 8-byte word.
    ///
    /// # Safety
    ///
    /// - `address` lies in an attached region, is a multiple of 8, and this agent is its writer.
    unsafe fn store64(&self, address: u64, value: u64);
    /// Writes back the line that holds `address`.
    fn clean(&self, address: u64);
    /// Forgets this agent's copy of the line that holds `address`; the next load sees memory.
    fn invalidate(&self, address: u64);
    /// Orders this agent's accesses.
    fn barrier(&self, barrier: Barrier);
    /// Reads a register.
    ///
    /// # Safety
    ///
    /// - `address` comes from the register table plus an offset of the chip's register map.
    unsafe fn read_reg(&self, address: u64) -> u32;
    /// Writes a register.
    ///
    /// # Safety
    ///
    /// - As for `read_reg`, and this agent is the register's writer.
    unsafe fn write_reg(&self, address: u64, value: u32);
    /// The system counter.
    fn ticks(&self) -> u64;
    /// Waits a moment, at most until something awaited happens.
    fn relax(&self, awaited: &Awaited<'_>);

    /// Copies `bytes` bytes that no other agent writes meanwhile to lines of an attached region, as
    /// fast as the chip can. Neither invalidates nor cleans; a store barrier makes the copy visible.
    ///
    /// # Safety
    ///
    /// - `from` is device memory of at least `bytes` bytes; `to` lies in an attached region, with as
    ///   many bytes behind it, and this agent is their writer. Neither need be aligned.
    unsafe fn copy(&self, to: u64, from: u64, bytes: u64) {
        let mut done = 0;
        while done < bytes {
            let (target, source) = (to + done, from + done);
            if (target | source) & 7 == 0 && bytes - done >= 8 {
                // SAFETY: an aligned word of what the caller vouches for.
                let word = unsafe { self.load64(source) };
                // SAFETY: an aligned word of what the caller says this agent writes.
                unsafe { self.store64(target, word) };
                done += 8;
                continue;
            }
            // SAFETY: the word around a byte that the caller vouches for; lines have whole words.
            let word = unsafe { self.load64(source & !7) };
            let byte = word >> (8 * (source & 7)) & 0xFF;
            let shift = 8 * (target & 7);
            // SAFETY: a whole word of a line that this agent alone writes.
            let around = unsafe { self.load64(target & !7) } & !(0xFF << shift);
            // SAFETY: a whole word of a line that this agent alone writes.
            unsafe { self.store64(target & !7, around | byte << shift) };
            done += 1;
        }
    }

    /// As [`Device::copy`], of whole lines to whole lines, and adds them to a checksum: what is at hand while
    /// it is copied need not be loaded again.
    ///
    /// # Safety
    ///
    /// - As for [`Device::copy`]; `to` and `bytes` are multiples of a line.
    unsafe fn copy_summed(&self, to: u64, from: u64, bytes: u64, checksum: &mut Checksum) {
        // SAFETY: the caller vouches for both ranges.
        unsafe { self.copy(to, from, bytes) };
        for line in (to..to + bytes).step_by(64) {
            checksum.line(&core::array::from_fn(|word| {
                // SAFETY: a word of a line that was just written.
                unsafe { self.load64(line + 8 * word as u64) }
            }));
        }
    }

    /// Invalidates every line that `bytes` bytes from `address` touch.
    fn invalidate_range(&self, address: u64, bytes: u64) {
        let mut line = address & !(crate::LINE_BYTES - 1);
        while line < address + bytes {
            self.invalidate(line);
            line += crate::LINE_BYTES;
        }
    }
}

/// The device interface as the simulated driver hands it to a program's `lanescope_bind` entry.
///
/// Every function acts for the agent (AICPU thread or core) that calls it. For a core, register
/// addresses are the bare offsets of the chip's register map: a core has no other registers.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DeviceTable {
    /// Bytes of this table; a program refuses one that is smaller than its own.
    pub table_bytes: u64,
    /// See [`Device::load32`].
    pub load32: unsafe extern "C" fn(address: u64) -> u32,
    /// See [`Device::load64`].
    pub load64: unsafe extern "C" fn(address: u64) -> u64,
    /// See [`Device::store32`].
    pub store32: unsafe extern "C" fn(address: u64, value: u32),
    /// See [`Device::store64`].
    pub store64: unsafe extern "C" fn(address: u64, value: u64),
    /// See [`Device::clean`].
    pub clean: extern "C" fn(address: u64),
    /// See [`Device::invalidate`].
    pub invalidate: extern "C" fn(address: u64),
    /// See [`Device::barrier`]; takes a [`Barrier`] as a number.
    pub barrier: extern "C" fn(barrier: u32),
    /// See [`Device::read_reg`].
    pub read_reg: unsafe extern "C" fn(address: u64) -> u32,
    /// See [`Device::write_reg`].
    pub write_reg: unsafe extern "C" fn(address: u64, value: u32),
    /// See [`Device::copy`].
    pub copy: unsafe extern "C" fn(to: u64, from: u64, bytes: u64),
    /// See [`Device::ticks`].
    pub ticks: extern "C" fn() -> u64,
    /// Runs a kernel: device address of its image, device address of its arguments. Cores only.
    pub call: unsafe extern "C" fn(kernel: u64, args: u64),
    /// See [`Device::relax`].
    pub relax: unsafe extern "C" fn(awaited: *const Awaited<'_>),
    /// Block index of the calling core in its launch, vector cores numbered behind cube cores:
    /// the core index. Cores only.
    pub core_index: extern "C" fn() -> u32,
    /// Physical id of the calling core: its place in the register table. Cores only.
    pub physical_core: extern "C" fn() -> u32,
    /// Stores a file for later launches by name, as the chip's AICPU file system does; returns 0,
    /// or the error number. Dispatcher only.
    pub store_program: unsafe extern "C" fn(
        name: *const u8,
        name_bytes: u64,
        data: *const u8,
        data_bytes: u64,
    ) -> i32,
    /// See [`Device::copy_summed`].
    pub copy_summed: unsafe extern "C" fn(to: u64, from: u64, bytes: u64, checksum: *mut Checksum),
}
