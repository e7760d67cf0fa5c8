//! Copies between host bytes and device memory, in whole words.
//!
//! # Ordering
//!
//! Every naturally aligned word of 8, 4, 2 or 1 bytes of device memory that a copy covers is read
//! or written once, atomically and relaxed; a fence stands behind reads and before writes that
//! follow. A copy never reads or writes a byte outside its range, so it rolls nothing back. In
//! [`Order::Scattered`] the words of one copy come in an order that the copy's number decides.

use crate::memory::View;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, fence};

/// In which order the words of a copy move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// By address.
    Address,
    /// By chance, fixed by this number.
    Scattered(u64),
}

/// Words that are scattered among each other; a longer copy scatters groups of so many, so that
/// one group stays in the first-level caches.
const GROUP_WORDS: usize = 8192;

const WORD: usize = 8;

/// Copies `bytes` host bytes to `offset` of `view`.
///
/// # Safety
///
/// - `from` is valid for reads of `bytes` bytes.
///
/// # Panics
///
/// When the range does not lie inside the view.
pub(crate) unsafe fn to_device(
    view: &View,
    offset: usize,
    from: *const u8,
    bytes: usize,
    order: Order,
) {
    let range = Words::new(view, offset, bytes);
    range.for_each(order, |at, size| {
        let device = view.pointer().wrapping_add(offset + at);
        let host = from.wrapping_add(at);
        // SAFETY: `at + size <= bytes`: the caller vouches for the host bytes, `Words::new` checked
        // the device bytes, and `device` is a multiple of `size`.
        unsafe { store(device, host, size) };
    });
    fence(Ordering::Release);
}

/// Copies `bytes` bytes at `offset` of `view` to the host.
///
/// # Safety
///
/// - `to` is valid for writes of `bytes` bytes.
///
/// # Panics
///
/// When the range does not lie inside the view.
pub(crate) unsafe fn to_host(view: &View, to: *mut u8, offset: usize, bytes: usize, order: Order) {
    let range = Words::new(view, offset, bytes);
    range.for_each(order, |at, size| {
        let device = view.pointer().wrapping_add(offset + at);
        let host = to.wrapping_add(at);
        // SAFETY: `at + size <= bytes`: the caller vouches for the host bytes, `Words::new` checked
        // the device bytes, and `device` is a multiple of `size`.
        unsafe { load(host, device, size) };
    });
    fence(Ordering::Acquire);
}

/// Copies inside device memory, as if through a host buffer.
///
/// # Panics
///
/// When a range does not lie inside the view.
pub(crate) fn inside(view: &View, to: usize, from: usize, bytes: usize, order: Order) {
    let mut between = vec![0; bytes];
    // SAFETY: `between` holds `bytes` bytes.
    unsafe { to_host(view, between.as_mut_ptr(), from, bytes, order) };
    // SAFETY: `between` holds `bytes` bytes.
    unsafe { to_device(view, to, between.as_ptr(), bytes, order) };
}

/// The words of a range: shorter ones up to the first multiple of 8, whole ones, shorter ones.
struct Words {
    /// Where the range begins, as far as alignment goes.
    begin: usize,
    head: usize,
    words: usize,
    tail: usize,
}

impl Words {
    fn new(view: &View, offset: usize, bytes: usize) -> Self {
        let end = offset.checked_add(bytes);
        assert!(
            end.is_some_and(|end| end <= view.bytes()),
            "a copied range was checked to lie inside device memory"
        );
        let begin = offset % WORD;
        let head = if begin == 0 {
            0
        } else {
            (WORD - begin).min(bytes)
        };
        Self {
            begin,
            head,
            words: (bytes - head) / WORD,
            tail: (bytes - head) % WORD,
        }
    }

    /// Calls `word` with the place and size of each word.
    fn for_each(&self, order: Order, mut word: impl FnMut(usize, usize)) {
        let tail_at = self.head + self.words * WORD;
        let head = |word: &mut dyn FnMut(usize, usize)| pieces(self.begin, 0, self.head, word);
        let tail = |word: &mut dyn FnMut(usize, usize)| pieces(0, tail_at, self.tail, word);
        match order {
            Order::Address => {
                head(&mut word);
                for index in 0..self.words {
                    word(self.head + index * WORD, WORD);
                }
                tail(&mut word);
            }
            Order::Scattered(seed) => {
                let tail_first = mixed(seed) & 1 == 1;
                if tail_first {
                    tail(&mut word);
                } else {
                    head(&mut word);
                }
                for group in permuted(self.words.div_ceil(GROUP_WORDS), seed) {
                    let first = group * GROUP_WORDS;
                    let words = GROUP_WORDS.min(self.words - first);
                    for index in permuted(words, mixed(seed ^ group as u64)) {
                        word(self.head + (first + index) * WORD, WORD);
                    }
                }
                if tail_first {
                    head(&mut word);
                } else {
                    tail(&mut word);
                }
            }
        }
    }
}

/// Cuts `bytes` bytes, fewer than a word, into the largest aligned pieces. `begin` is where they
/// start within a word, `at` where they start within the range.
fn pieces(begin: usize, at: usize, bytes: usize, word: &mut dyn FnMut(usize, usize)) {
    let mut done = 0;
    while done < bytes {
        let place = begin + done;
        let aligned = 1 << place.trailing_zeros().min(2);
        let fits = 1 << (bytes - done).ilog2();
        let size = if aligned < fits { aligned } else { fits };
        word(at + done, size);
        done += size;
    }
}

/// The numbers below `count`, each once: a walk with a stride that has no factor in common with it.
fn permuted(count: usize, seed: u64) -> impl Iterator<Item = usize> {
    let modulus = count.max(1) as u64;
    let mut next = mixed(seed) % modulus;
    let mut stride = mixed(seed.wrapping_add(1)) % modulus;
    while greatest_common_divisor(stride, modulus) != 1 {
        stride = (stride + 1) % modulus;
        if modulus == 1 {
            break;
        }
    }
    (0..count).map(move |_| {
        let index = next;
        next += stride;
        if next >= modulus {
            next -= modulus;
        }
        usize::try_from(index).expect("below a count that is a usize")
    })
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Spreads a number over all bits (the finaliser of splitmix64).
pub(crate) fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ bits >> 31
}

macro_rules! by_size {
    ($size:expr, $word:ident, $atomic:ident => $body:block) => {
        match $size {
            8 => {
                type $word = u64;
                type $atomic = AtomicU64;
                $body
            }
            4 => {
                type $word = u32;
                type $atomic = AtomicU32;
                $body
            }
            2 => {
                type $word = u16;
                type $atomic = AtomicU16;
                $body
            }
            1 => {
                type $word = u8;
                type $atomic = AtomicU8;
                $body
            }
            _ => unreachable!("words have 1, 2, 4 or 8 bytes"),
        }
    };
}

/// Writes one word.
///
/// # Safety
///
/// - `device` is mapped for `size` bytes, a multiple of `size`, and accessed with atomics only.
/// - `host` is valid for reads of `size` bytes.
#[inline]
unsafe fn store(device: *mut u8, host: *const u8, size: usize) {
    by_size!(size, Word, Atomic => {
        // SAFETY: the caller vouches for `size` readable bytes; no alignment is asked.
        let value = unsafe { host.cast::<Word>().read_unaligned() };
        // SAFETY: the caller vouches for mapping, alignment and atomic access.
        unsafe { Atomic::from_ptr(device.cast()) }.store(value, Ordering::Relaxed);
    });
}

/// Reads one word.
///
/// # Safety
///
/// - `device` is mapped for `size` bytes, a multiple of `size`, and accessed with atomics only.
/// - `host` is valid for writes of `size` bytes.
#[inline]
unsafe fn load(host: *mut u8, device: *mut u8, size: usize) {
    by_size!(size, Word, Atomic => {
        // SAFETY: the caller vouches for mapping, alignment and atomic access.
        let value = unsafe { Atomic::from_ptr(device.cast()) }.load(Ordering::Relaxed);
        // SAFETY: the caller vouches for `size` writable bytes; no alignment is asked.
        unsafe { host.cast::<Word>().write_unaligned(value) };
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use proptest::prelude::*;

    const BYTES: usize = 1 << 20;

    fn put(memory: &Memory, offset: usize, bytes: &[u8], order: Order) {
        // SAFETY: `bytes` is a slice.
        unsafe { to_device(memory.whole(), offset, bytes.as_ptr(), bytes.len(), order) };
    }

    fn take(memory: &Memory, offset: usize, count: usize, order: Order) -> Vec<u8> {
        let mut bytes = vec![0; count];
        // SAFETY: `bytes` has `count` bytes.
        unsafe { to_host(memory.whole(), bytes.as_mut_ptr(), offset, count, order) };
        bytes
    }

    fn places(offset: usize, bytes: usize, order: Order) -> Vec<(usize, usize)> {
        let memory = Memory::new(0, BYTES as u64).unwrap();
        let mut places = Vec::new();
        Words::new(memory.whole(), offset, bytes).for_each(order, |at, size| {
            places.push((at, size));
        });
        places
    }

    lanescope_stress::properties! {
        256 cases;

        #[test]
        fn what_was_copied_is_there_and_nothing_else_changed(
            offset in 0usize..100,
            bytes in prop::collection::vec(any::<u8>(), 1..400),
            seed in any::<Option<u64>>(),
        ) {
            let order = seed.map_or(Order::Address, Order::Scattered);
            let memory = Memory::new(0, BYTES as u64).unwrap();
            put(&memory, 0, &[0xEE; 600], Order::Address);
            put(&memory, offset, &bytes, order);
            prop_assert_eq!(&take(&memory, offset, bytes.len(), order), &bytes);
            let all = take(&memory, 0, 600, Order::Address);
            prop_assert!(all[..offset].iter().all(|b| *b == 0xEE));
            prop_assert!(all[offset + bytes.len()..].iter().all(|b| *b == 0xEE));
            inside(memory.whole(), 1003, offset, bytes.len(), order);
            prop_assert_eq!(&take(&memory, 1003, bytes.len(), order), &bytes);
        }

        #[test]
        fn every_byte_moves_once_in_aligned_words(
            offset in 0usize..64, bytes in 1usize..200_000, seed in any::<Option<u64>>()
        ) {
            let order = seed.map_or(Order::Address, Order::Scattered);
            let mut seen = vec![false; bytes];
            for (at, size) in places(offset, bytes, order) {
                prop_assert_eq!((offset + at) % size, 0);
                for byte in &mut seen[at..at + size] {
                    prop_assert!(!*byte);
                    *byte = true;
                }
            }
            prop_assert!(seen.iter().all(|byte| *byte));
        }
    }

    #[test]
    fn aligned_words_are_never_cut() {
        assert_eq!(places(4, 4, Order::Address), [(0, 4)]);
        assert_eq!(places(8, 8, Order::Address), [(0, 8)]);
        assert_eq!(places(4, 12, Order::Address), [(0, 4), (4, 8)]);
        assert_eq!(places(7, 10, Order::Address), [(0, 1), (1, 8), (9, 1)]);
        assert_eq!(places(1, 7, Order::Address), [(0, 1), (1, 2), (3, 4)]);
    }

    #[test]
    fn scattered_copies_keep_to_no_order_and_two_are_not_alike() {
        let one = places(0, 1 << 17, Order::Scattered(1));
        let other = places(0, 1 << 17, Order::Scattered(2));
        assert_ne!(one, other);
        assert_eq!(one, places(0, 1 << 17, Order::Scattered(1)));
        let falls = |places: &[(usize, usize)]| places.windows(2).any(|w| w[1].0 < w[0].0);
        for seed in 0..100 {
            assert!(
                falls(&places(0, 1 << 10, Order::Scattered(seed))),
                "seed {seed}"
            );
        }
        assert!(!falls(&places(3, 1 << 10, Order::Address)));
    }
}
