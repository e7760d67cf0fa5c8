//! Checked access to the words of an attached region.

use lanescope_abi::{Barrier, Device, LINE_BYTES, Section};

/// A region of shared memory that the host has laid out.
///
/// Every access is checked against the region's length, so that no value read from shared memory can
/// lead outside. Layouts are checked once, on attach; an access that fails here is a bug of ours.
#[derive(Debug)]
pub(crate) struct Region<'d, D> {
    device: &'d D,
    base: u64,
    bytes: u64,
}

impl<D> Clone for Region<'_, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Region<'_, D> {}

impl<'d, D: Device> Region<'d, D> {
    /// Attaches to `bytes` bytes at `base`; `None` when they are misaligned or wrap around.
    ///
    /// # Safety
    ///
    /// - The bytes are shared memory of this device for as long as the region is used.
    pub(crate) unsafe fn attach(device: &'d D, base: u64, bytes: u64) -> Option<Self> {
        let is_aligned = base.is_multiple_of(LINE_BYTES);
        (base != 0 && is_aligned && base.checked_add(bytes).is_some()).then_some(Self {
            device,
            base,
            bytes,
        })
    }

    pub(crate) fn device(&self) -> &'d D {
        self.device
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Device address of `offset`.
    pub(crate) fn address(&self, offset: u64) -> u64 {
        self.base + offset
    }

    /// Whether `section` lies inside and holds at least `count` items `T`, each aligned.
    pub(crate) fn holds<T>(&self, section: &Section, count: u32) -> bool {
        let stride_bytes = u64::from(section.stride_bytes);
        section.offset_bytes.is_multiple_of(LINE_BYTES)
            && section.count >= count
            && stride_bytes >= size_of::<T>() as u64
            && stride_bytes.is_multiple_of(align_of::<T>() as u64)
            && section.end().is_some_and(|end| end <= self.bytes)
    }

    /// Whether `count` items of `item_bytes` bytes from `offset` on lie inside, line-aligned.
    pub(crate) fn holds_run(&self, offset: u64, count: u64, item_bytes: u64) -> bool {
        offset.is_multiple_of(LINE_BYTES)
            && count
                .checked_mul(item_bytes)
                .and_then(|bytes| bytes.checked_add(offset))
                .is_some_and(|end| end <= self.bytes)
    }

    /// The line at `offset`: checked once, however many of its words are used.
    #[inline]
    pub(crate) fn line(&self, offset: u64) -> Line<'d, D> {
        assert!(
            offset <= self.bytes.wrapping_sub(LINE_BYTES) && offset.is_multiple_of(LINE_BYTES),
            "an offset was checked on attach"
        );
        Line {
            device: self.device,
            address: self.base + offset,
        }
    }

    #[inline]
    pub(crate) fn load32(&self, offset: u64) -> u32 {
        let address = self.checked(offset, 4);
        // SAFETY: the address lies in the attached region and is a multiple of 4.
        unsafe { self.device.load32(address) }
    }

    #[inline]
    pub(crate) fn load64(&self, offset: u64) -> u64 {
        let address = self.checked(offset, 8);
        // SAFETY: the address lies in the attached region and is a multiple of 8.
        unsafe { self.device.load64(address) }
    }

    #[inline]
    pub(crate) fn store32(&self, offset: u64, value: u32) {
        let address = self.checked(offset, 4);
        // SAFETY: the address lies in the attached region and is a multiple of 4; this crate stores
        // only to the lines that its documentation says an AICPU thread writes.
        unsafe { self.device.store32(address, value) };
    }

    #[inline]
    pub(crate) fn store64(&self, offset: u64, value: u64) {
        let address = self.checked(offset, 8);
        // SAFETY: the address lies in the attached region and is a multiple of 8; this crate stores
        // only to the lines that its documentation says an AICPU thread writes.
        unsafe { self.device.store64(address, value) };
    }

    #[inline]
    pub(crate) fn invalidate(&self, offset: u64) {
        self.device.invalidate(self.base + offset);
    }

    pub(crate) fn invalidate_range(&self, offset: u64, bytes: u64) {
        self.device.invalidate_range(self.base + offset, bytes);
    }

    #[inline]
    pub(crate) fn barrier(&self, barrier: Barrier) {
        self.device.barrier(barrier);
    }

    /// A pointer to `offset`, for words that the AICPU threads share by ordinary atomics and tables
    /// they read plainly; `bytes` from there on are inside.
    pub(crate) fn pointer<T>(&self, offset: u64, bytes: u64) -> *mut T {
        let end = offset.checked_add(bytes);
        assert!(
            end.is_some_and(|end| end <= self.bytes)
                && offset.is_multiple_of(align_of::<T>() as u64),
            "an offset was checked on attach"
        );
        core::ptr::with_exposed_provenance_mut(
            usize::try_from(self.base + offset).expect("device programs have 64-bit addresses"),
        )
    }

    #[inline]
    fn checked(&self, offset: u64, width: u64) -> u64 {
        assert!(
            offset <= self.bytes.wrapping_sub(width) && offset & (width - 1) == 0,
            "an offset was checked on attach"
        );
        self.base + offset
    }
}

/// Whether sections and runs, as (first, end) offsets, lie behind a header and apart: one that lay
/// over another would let data become an address.
pub(crate) fn are_apart(header_bytes: u64, places: &[(u64, u64)]) -> bool {
    let overlaps = |one: &(u64, u64), other: &(u64, u64)| one.0 < other.1 && other.0 < one.1;
    places.iter().enumerate().all(|(index, place)| {
        let is_empty = place.0 == place.1;
        let is_behind = place.0 >= header_bytes;
        is_empty || is_behind && !places[..index].iter().any(|other| overlaps(place, other))
    })
}

/// The place of a section, as (first, end) offsets; it was checked.
pub(crate) fn place(section: &Section) -> (u64, u64) {
    let end = section.end().expect("a section was checked");
    (section.offset_bytes, end)
}

/// A line of a region. Its words are named by their offset in it, at compile time.
#[derive(Debug)]
pub(crate) struct Line<'d, D> {
    device: &'d D,
    address: u64,
}

impl<D: Device> Line<'_, D> {
    #[inline]
    pub(crate) fn load32<const FIELD: usize>(&self) -> u32 {
        const { assert!(FIELD < 64 && FIELD.is_multiple_of(4)) };
        // SAFETY: the line lies in the attached region, and the word in the line, aligned.
        unsafe { self.device.load32(self.address + FIELD as u64) }
    }

    #[inline]
    pub(crate) fn load64<const FIELD: usize>(&self) -> u64 {
        const { assert!(FIELD < 64 && FIELD.is_multiple_of(8)) };
        // SAFETY: the line lies in the attached region, and the word in the line, aligned.
        unsafe { self.device.load64(self.address + FIELD as u64) }
    }

    #[inline]
    pub(crate) fn store64<const FIELD: usize>(&self, value: u64) {
        const { assert!(FIELD < 64 && FIELD.is_multiple_of(8)) };
        // SAFETY: the line lies in the attached region, and the word in the line, aligned; this crate
        // stores only to the lines that its documentation says an AICPU thread writes.
        unsafe { self.device.store64(self.address + FIELD as u64, value) };
    }

    /// Loads the whole line, word by word.
    pub(crate) fn load(&self) -> [u64; 8] {
        core::array::from_fn(|word| {
            // SAFETY: the word is one of the line's eight, and the line lies in the attached region.
            unsafe { self.device.load64(self.address + 8 * word as u64) }
        })
    }

    /// Stores the whole line, word by word.
    #[inline]
    pub(crate) fn store(&self, words: [u64; 8]) {
        for (address, word) in (self.address..).step_by(8).zip(words) {
            // SAFETY: the word is one of the line's eight, and the line lies in the attached region; this
            // crate stores only to the lines that its documentation says an AICPU thread writes.
            unsafe { self.device.store64(address, word) };
        }
    }

    #[inline]
    pub(crate) fn invalidate(&self) {
        self.device.invalidate(self.address);
    }
}
