//! Sorts many numbers: dealt by their upper digits as they come, then each part in the nearest memory.

use std::ops::Range;

/// The lower part of a number, which is what a part holds of it.
pub(crate) trait Lower: Copy + Default + Ord + Send + Sync {
    /// Its bits.
    const BITS: u32;

    /// The lower part of `number`.
    fn of(number: u64) -> Self;

    /// As a number.
    fn number(self) -> u64;
}

impl Lower for u32 {
    const BITS: u32 = Self::BITS;

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the lower part is asked for"
    )]
    fn of(number: u64) -> Self {
        number as Self
    }

    #[inline]
    fn number(self) -> u64 {
        self.into()
    }
}

impl Lower for u64 {
    const BITS: u32 = Self::BITS;

    #[inline]
    fn of(number: u64) -> Self {
        number
    }

    #[inline]
    fn number(self) -> u64 {
        self
    }
}

/// Numbers that come in any order and are given back in ascending order.
///
/// They lie in chunks, each part in a chain of its own: what comes nearly in order touches few chunks at a
/// time, and nothing is held twice.
#[derive(Debug)]
pub(crate) struct Sorted<L> {
    shift: u32,
    numbers: Vec<L>,
    /// By chunk: the chunk behind it in its part.
    next: Vec<u32>,
    parts: Vec<Part>,
}

/// The numbers with one upper part.
#[derive(Clone, Copy, Debug)]
struct Part {
    first: u32,
    last: u32,
    /// Numbers in the last chunk.
    used: usize,
}

const PART_BITS: u32 = 13;
/// Numbers of a chunk.
const CHUNK: usize = 64;
const NO_CHUNK: u32 = u32::MAX;

/// By how many bits the part of a number is told, when none is larger than `largest`.
fn shift_of(largest: u64) -> u32 {
    (u64::BITS - largest.leading_zeros()).saturating_sub(PART_BITS)
}

impl<L: Lower> Sorted<L> {
    /// Whether numbers up to `largest` can be held.
    pub(crate) fn holds(largest: u64) -> bool {
        shift_of(largest) <= L::BITS
    }

    /// For numbers up to `largest`, which can be held, about as many as `count`.
    pub(crate) fn new(largest: u64, count: usize) -> Self {
        let shift = shift_of(largest);
        let parts = usize::try_from(largest >> shift).expect("so many bits are left") + 1;
        let empty = Part {
            first: NO_CHUNK,
            last: NO_CHUNK,
            used: CHUNK,
        };
        Self {
            shift,
            numbers: Vec::with_capacity(count.saturating_add(parts * CHUNK)),
            next: Vec::new(),
            parts: vec![empty; parts],
        }
    }

    /// Takes a number up to the largest.
    #[inline]
    pub(crate) fn push(&mut self, number: u64) {
        let part = usize::try_from(number >> self.shift).expect("as in `new`");
        if self.parts[part].used == CHUNK {
            self.add_chunk(part);
        }
        let part = &mut self.parts[part];
        self.numbers[part.last as usize * CHUNK + part.used] = L::of(number);
        part.used += 1;
    }

    fn add_chunk(&mut self, part: usize) {
        let chunk = u32::try_from(self.next.len()).expect("fewer than 2^38 numbers are held");
        self.next.push(NO_CHUNK);
        self.numbers
            .resize(self.numbers.len() + CHUNK, L::default());
        let part = &mut self.parts[part];
        match part.last {
            NO_CHUNK => part.first = chunk,
            last => self.next[last as usize] = chunk,
        }
        (part.last, part.used) = (chunk, 0);
    }

    /// How many parts there are: as many in all that hold numbers up to the same.
    pub(crate) fn part_count(&self) -> usize {
        self.parts.len()
    }

    /// Gives the numbers of a part, a chunk at a time, in the order in which they came.
    fn chunks(&self, part: usize) -> impl Iterator<Item = &[L]> {
        let part = self.parts[part];
        let mut chunk = part.first;
        std::iter::from_fn(move || {
            let begin = (chunk != NO_CHUNK).then_some(chunk as usize * CHUNK)?;
            let count = match chunk == part.last {
                true => part.used,
                false => CHUNK,
            };
            chunk = self.next[chunk as usize];
            Some(&self.numbers[begin..begin + count])
        })
    }

    /// Gives the numbers of some parts of all of `sorted`, in any order.
    pub(crate) fn each_unsorted(sorted: &[Self], parts: Range<usize>, mut take: impl FnMut(u64)) {
        for sorted in sorted {
            for part in parts.clone() {
                let upper = sorted.upper(part);
                for chunk in sorted.chunks(part) {
                    chunk.iter().for_each(|lower| take(upper | lower.number()));
                }
            }
        }
    }

    /// Gives the numbers of some parts of all of `sorted`, in ascending order.
    pub(crate) fn each(sorted: &[Self], parts: Range<usize>, mut take: impl FnMut(u64)) {
        let (mut numbers, mut other) = (Vec::new(), Vec::new());
        let Some(any) = sorted.first() else {
            return;
        };
        for part in parts {
            numbers.clear();
            for chunk in sorted.iter().flat_map(|sorted| sorted.chunks(part)) {
                numbers.extend_from_slice(chunk);
            }
            sort(&mut numbers, &mut other, any.shift);
            let upper = any.upper(part);
            numbers
                .iter()
                .for_each(|lower| take(upper | lower.number()));
        }
    }

    /// The bits that all numbers of a part have and that it does not hold; it may hold more.
    fn upper(&self, part: usize) -> u64 {
        (part as u64) << self.shift
    }
}

const DIGIT_BITS: u32 = 9;
const DIGITS: usize = 1 << DIGIT_BITS;
/// Fewer than this are sorted by comparing.
const FEW: usize = 512;

/// Sorts numbers that differ in their lower `bits` alone.
fn sort<L: Lower>(numbers: &mut Vec<L>, other: &mut Vec<L>, bits: u32) {
    if numbers.len() < FEW {
        numbers.sort_unstable();
        return;
    }
    other.resize(numbers.len(), L::default());
    for digit in 0..bits.div_ceil(DIGIT_BITS) {
        let shift = digit * DIGIT_BITS;
        #[expect(clippy::cast_possible_truncation, reason = "a digit is what is left")]
        let digit_of = |lower: L| (lower.number() >> shift) as usize & (DIGITS - 1);
        let mut places = [0_usize; DIGITS];
        for &number in &*numbers {
            places[digit_of(number)] += 1;
        }
        let mut before = 0;
        for place in &mut places {
            before += std::mem::replace(place, before);
        }
        for &number in &*numbers {
            let place = &mut places[digit_of(number)];
            other[*place] = number;
            *place += 1;
        }
        std::mem::swap(numbers, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_size_come_in_order() {
        let mut state = 7_u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state
        };
        let cases = [
            (0, 64, 64),
            (3, 64, 64),
            (FEW, 1, 3),
            (100_000, 1, 64),
            (50_000, 64, 64),
            (50_000, 23, 23),
            (20_000, 45, 45),
            (20_000, 45, 46),
            (5_000, 0, 0),
        ];
        for (count, bits, largest_bits) in cases {
            let most = |bits: u32| u64::MAX.checked_shr(64 - bits).unwrap_or(0);
            let mut expected: Vec<u64> = (0..count).map(|_| random() & most(bits)).collect();
            let largest = most(largest_bits);
            let wide = in_order::<u64>(largest, &expected);
            let narrow = Sorted::<u32>::holds(largest).then(|| in_order::<u32>(largest, &expected));
            assert_eq!(narrow.is_some(), largest_bits < 46);
            expected.sort_unstable();
            assert!(wide == expected, "{count} numbers of {bits} bits");
            let is_wrong = narrow.is_some_and(|narrow| narrow != expected);
            assert!(!is_wrong, "{count} numbers of {bits} bits, narrow");
        }
    }

    /// Numbers that went into two, and came out in three pieces.
    fn in_order<L: Lower>(largest: u64, numbers: &[u64]) -> Vec<u64> {
        let mut sorted = [0, 1].map(|_| Sorted::<L>::new(largest, numbers.len() / 2));
        for (place, &number) in numbers.iter().enumerate() {
            sorted[place % 2].push(number);
        }
        let parts = sorted[0].part_count();
        let cuts = [0, parts / 3, parts / 2, parts];
        let (mut found, mut sum) = (Vec::new(), 0_u64);
        for cut in cuts.windows(2) {
            Sorted::each(&sorted, cut[0]..cut[1], |number| found.push(number));
            Sorted::each_unsorted(&sorted, cut[0]..cut[1], |number| {
                sum = sum.wrapping_add(number);
            });
        }
        let expected = found
            .iter()
            .fold(0_u64, |sum, &number| sum.wrapping_add(number));
        assert_eq!(sum, expected);
        found
    }
}
