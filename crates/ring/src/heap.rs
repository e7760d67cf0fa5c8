//! A ring in ordinary memory: what benches, tests and the model checker run on.

use crate::RingMem;
use core::convert::Infallible;
use core::marker::PhantomData;
use lanescope_abi::ReadyEntry;

#[cfg(not(loom))]
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// An entry as the words that a [`HeapRing`] stores.
pub trait Words: Copy {
    /// The entry as two words.
    fn to_words(self) -> [u64; 2];
    /// The entry these two words stand for.
    fn from_words(words: [u64; 2]) -> Self;
}

/// A ring of `N` entries in ordinary memory; `&HeapRing` is the [`RingMem`] of both sides.
#[derive(Debug)]
pub struct HeapRing<E, const N: usize> {
    head: AtomicU32,
    tail: AtomicU32,
    entries: [[AtomicU64; 2]; N],
    entry: PhantomData<E>,
}

impl<E, const N: usize> HeapRing<E, N> {
    /// An empty ring whose indices both stand at `index`.
    #[must_use]
    pub fn starting_at(index: u32) -> Self {
        Self {
            head: AtomicU32::new(index),
            tail: AtomicU32::new(index),
            entries: core::array::from_fn(|_| [AtomicU64::new(0), AtomicU64::new(0)]),
            entry: PhantomData,
        }
    }
}

impl<E, const N: usize> Default for HeapRing<E, N> {
    fn default() -> Self {
        Self::starting_at(0)
    }
}

impl<E: Words, const N: usize> RingMem for &HeapRing<E, N> {
    type Entry = E;
    type Error = Infallible;

    fn load_head(&self) -> Result<u32, Infallible> {
        Ok(self.head.load(Ordering::Acquire))
    }

    fn load_tail(&self) -> Result<u32, Infallible> {
        Ok(self.tail.load(Ordering::Acquire))
    }

    fn store_head(&self, head: u32) -> Result<(), Infallible> {
        self.head.store(head, Ordering::Release);
        Ok(())
    }

    fn store_tail(&self, tail: u32) -> Result<(), Infallible> {
        self.tail.store(tail, Ordering::Release);
        Ok(())
    }

    fn read(&self, slot: u32) -> Result<E, Infallible> {
        let words = &self.entries[slot as usize];
        Ok(E::from_words([
            words[0].load(Ordering::Relaxed),
            words[1].load(Ordering::Relaxed),
        ]))
    }

    fn write(&self, slot: u32, entry: E) -> Result<(), Infallible> {
        let words = &self.entries[slot as usize];
        let [first, second] = entry.to_words();
        words[0].store(first, Ordering::Relaxed);
        words[1].store(second, Ordering::Relaxed);
        Ok(())
    }
}

impl Words for u32 {
    fn to_words(self) -> [u64; 2] {
        [u64::from(self), 0]
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the word was made from a u32"
    )]
    fn from_words(words: [u64; 2]) -> Self {
        words[0] as Self
    }
}

impl Words for ReadyEntry {
    fn to_words(self) -> [u64; 2] {
        [
            u64::from(self.count) << 32 | u64::from(self.buffer),
            self.sequence,
        ]
    }

    #[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
    fn from_words(words: [u64; 2]) -> Self {
        Self {
            buffer: words[0] as u32,
            count: (words[0] >> 32) as u32,
            sequence: words[1],
        }
    }
}
