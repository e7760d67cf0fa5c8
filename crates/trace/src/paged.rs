//! Arrays of any length: a long one lies in a file without a name, and memory holds a window of it.
//!
//! # Who writes what
//!
//! The items have one writer, who has the array for itself. The marks of what was touched are written by every
//! reader: two that meet may miscount by a chunk, which changes how much memory is held and nothing else.

use crate::{TraceError, scratch};
use memmap2::{Advice, MmapMut, UncheckedAdvice};
use std::env;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// An array that takes up to 40 MiB of memory, and 16 MiB if it is longer.
///
/// What is read or written in places near each other is as fast as in memory; what jumps about in a long array
/// has the system fetch pages again and again. The file lies in the system's temporary folder.
pub struct Paged<T> {
    length: usize,
    place: Place<T>,
}

enum Place<T> {
    Memory(Vec<T>),
    File(Window, PhantomData<T>),
}

/// Arrays of so many bytes are in memory: ten million places of four bytes.
const SHORT_BYTES: usize = 40 << 20;
/// So many bytes of a longer one are.
const HELD_BYTES: usize = 16 << 20;
/// What the system brings into memory at once, at most: pages that lie around the one that is asked for.
const CHUNK_BYTES: usize = 64 << 10;

impl<T: Copy + FromBytes + IntoBytes + Immutable + KnownLayout> Paged<T> {
    /// An array of this many items, all bits of them 0.
    ///
    /// # Errors
    ///
    /// [`TraceError::Scratch`].
    pub fn zeroed(length: usize) -> Result<Self, TraceError> {
        Self::holding(length, SHORT_BYTES, HELD_BYTES)
    }

    /// The same, of which no more than 16 MiB are in memory whatever its length.
    ///
    /// # Errors
    ///
    /// [`TraceError::Scratch`].
    pub fn windowed(length: usize) -> Result<Self, TraceError> {
        Self::holding(length, HELD_BYTES, HELD_BYTES)
    }

    fn holding(length: usize, short_bytes: usize, held_bytes: usize) -> Result<Self, TraceError> {
        let bytes = length.saturating_mul(size_of::<T>());
        let place = if bytes <= short_bytes {
            Place::Memory(vec![T::new_zeroed(); length])
        } else {
            let folder = env::temp_dir();
            let window = Window::open(bytes, held_bytes, &folder);
            let window = window.map_err(|source| TraceError::Scratch { folder, source })?;
            Place::File(window, PhantomData)
        };
        Ok(Self { length, place })
    }

    /// How many items there are.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The items of a range, all of which are in memory while they are read.
    ///
    /// # Panics
    ///
    /// When the range ends behind the last item.
    #[inline]
    #[must_use]
    pub fn range(&self, range: Range<usize>) -> &[T] {
        match &self.place {
            Place::Memory(items) => &items[range],
            Place::File(window, _) => {
                let bytes = range.start * size_of::<T>()..range.end * size_of::<T>();
                <[T]>::ref_from_bytes(window.bytes(bytes))
                    .expect("the range is whole items, and items are aligned in a page")
            }
        }
    }

    /// An item.
    ///
    /// # Panics
    ///
    /// When there is no such item.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> T {
        self.range(index..index + 1)[0]
    }

    /// An item, to be changed.
    ///
    /// # Panics
    ///
    /// When there is no such item.
    #[inline]
    pub fn item_mut(&mut self, index: usize) -> &mut T {
        match &mut self.place {
            Place::Memory(items) => &mut items[index],
            Place::File(window, _) => {
                let begin = index * size_of::<T>();
                let bytes = window.bytes_mut(begin..begin + size_of::<T>());
                T::mut_from_bytes(bytes).expect("a whole item, and items are aligned in a page")
            }
        }
    }
}

impl<T> Default for Paged<T> {
    fn default() -> Self {
        Self {
            length: 0,
            place: Place::Memory(Vec::new()),
        }
    }
}

impl<T> fmt::Debug for Paged<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.place {
            Place::Memory(_) => "memory",
            Place::File(..) => "file",
        };
        let mut shown = formatter.debug_struct("Paged");
        shown.field("length", &self.length).field("place", &place);
        shown.finish()
    }
}

/// A mapped file of which a bounded number of chunks is in memory.
struct Window {
    map: MmapMut,
    /// By chunk: whether it was touched since the pages were last given back.
    touched: Box<[AtomicBool]>,
    count: AtomicUsize,
    most: usize,
}

impl Window {
    fn open(bytes: usize, held_bytes: usize, folder: &std::path::Path) -> io::Result<Self> {
        let file = scratch::unnamed(folder)?;
        // Room is asked for now: a full disk is an error here, and no fault when a page is written.
        scratch::reserve(&file, bytes as u64)?;
        // SAFETY: the file has no name and its only handle ends here, so nobody else reads, writes or cuts it.
        let map = unsafe { MmapMut::map_mut(&file) }?;
        let chunks = bytes.div_ceil(CHUNK_BYTES);
        Ok(Self {
            map,
            touched: (0..chunks).map(|_| AtomicBool::new(false)).collect(),
            count: AtomicUsize::new(0),
            most: held_bytes / CHUNK_BYTES,
        })
    }

    #[inline]
    fn bytes(&self, bytes: Range<usize>) -> &[u8] {
        self.touch(&bytes, Advice::PopulateRead);
        &self.map[bytes]
    }

    #[inline]
    fn bytes_mut(&mut self, bytes: Range<usize>) -> &mut [u8] {
        self.touch(&bytes, Advice::PopulateWrite);
        &mut self.map[bytes]
    }

    #[inline]
    fn touch(&self, bytes: &Range<usize>, advice: Advice) {
        let last = bytes.end.saturating_sub(1).max(bytes.start) / CHUNK_BYTES;
        for chunk in bytes.start / CHUNK_BYTES..=last {
            // Marks order nothing: they are counted, and counting is all they are for.
            if let Some(touched) = self.touched.get(chunk)
                && !touched.load(Ordering::Relaxed)
            {
                self.admit(chunk, advice);
            }
        }
    }

    #[cold]
    fn admit(&self, chunk: usize, advice: Advice) {
        if self.count.fetch_add(1, Ordering::Relaxed) >= self.most {
            self.give_back();
        }
        self.touched[chunk].store(true, Ordering::Relaxed);
        let begin = chunk * CHUNK_BYTES;
        let bytes = CHUNK_BYTES.min(self.map.len() - begin);
        // It is advice: without it the pages come one by one as they are touched.
        drop(self.map.advise_range(advice, begin, bytes));
    }

    /// Gives all pages back to the system, which fetches them again where they are needed.
    fn give_back(&self) {
        for touched in &self.touched {
            touched.store(false, Ordering::Relaxed);
        }
        self.count.store(1, Ordering::Relaxed);
        // SAFETY: the mapping is shared, so what was written lies in the file, and a page that was given back
        // is read from there again.
        let advised = unsafe { self.map.unchecked_advise(UncheckedAdvice::DontNeed) };
        // It is advice: a system that does not take it only needs more memory.
        drop(advised);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_outlive_the_pages_that_were_given_back() {
        const LENGTH: usize = 50_000;
        // A prime, so that every item is met once, in an order that jumps about.
        let places = || (0..LENGTH).map(|place| place * 7919 % LENGTH);
        for short_bytes in [usize::MAX, 0] {
            let mut items = Paged::<u32>::holding(LENGTH, short_bytes, 2 * CHUNK_BYTES).unwrap();
            let is_on_file = matches!(items.place, Place::File(..));
            assert_eq!(is_on_file, short_bytes == 0);
            assert!((0..LENGTH).all(|index| items.get(index) == 0));
            for (value, place) in (0..).zip(places()) {
                *items.item_mut(place) = value;
            }
            for (value, place) in (0_u32..).zip(places()) {
                assert_eq!(items.get(place), value, "on file: {is_on_file}");
            }
            let around = items.range(16_383..16_386);
            let alone: Vec<_> = (16_383..16_386).map(|index| items.get(index)).collect();
            assert_eq!(around, alone, "across the border of two chunks");
            assert_eq!(items.range(LENGTH..LENGTH), [0; 0]);
        }
    }

    #[test]
    fn no_more_chunks_are_held_than_asked_for() {
        let items = Paged::<u64>::holding(1 << 18, 0, 4 * CHUNK_BYTES).unwrap();
        let Place::File(window, _) = &items.place else {
            panic!("2 MiB are on file");
        };
        for index in 0..items.len() {
            assert_eq!(items.get(index), 0);
            let held = window.touched.iter();
            let held = held.filter(|touched| touched.load(Ordering::Relaxed));
            if index % 4096 == 0 {
                assert!(held.count() <= 4);
            }
        }
    }
}
