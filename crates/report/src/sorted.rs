//! Sorts many numbers: dealt by their upper digits as they come, then each part in the nearest memory.

/// Numbers that come in any order and are given back in ascending order.
///
/// They lie in chunks, each part in a chain of its own: what comes nearly in order touches few chunks at a
/// time, and nothing is held twice.
#[derive(Debug)]
pub(crate) struct Sorted {
    shift: u32,
    numbers: Vec<u64>,
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

impl Sorted {
    /// For numbers up to `largest`, about as many as `count`.
    pub(crate) fn new(largest: u64, count: usize) -> Self {
        let bits = u64::BITS - largest.leading_zeros();
        let shift = bits.saturating_sub(PART_BITS);
        let parts = usize::try_from(largest >> shift).expect("so many bits are left") + 1;
        let empty = Part {
            first: NO_CHUNK,
            last: NO_CHUNK,
            used: CHUNK,
        };
        Self {
            shift,
            numbers: Vec::with_capacity(count.saturating_add(CHUNK)),
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
        self.numbers[part.last as usize * CHUNK + part.used] = number;
        part.used += 1;
    }

    fn add_chunk(&mut self, part: usize) {
        let chunk = u32::try_from(self.next.len()).expect("fewer than 2^38 numbers are held");
        self.next.push(NO_CHUNK);
        self.numbers.resize(self.numbers.len() + CHUNK, 0);
        let part = &mut self.parts[part];
        match part.last {
            NO_CHUNK => part.first = chunk,
            last => self.next[last as usize] = chunk,
        }
        (part.last, part.used) = (chunk, 0);
    }

    /// Gives the numbers in ascending order.
    pub(crate) fn each(&self, mut take: impl FnMut(u64)) {
        let (mut numbers, mut other) = (Vec::new(), Vec::new());
        for part in &self.parts {
            numbers.clear();
            let mut chunk = part.first;
            while chunk != NO_CHUNK {
                let begin = chunk as usize * CHUNK;
                let count = match chunk == part.last {
                    true => part.used,
                    false => CHUNK,
                };
                numbers.extend_from_slice(&self.numbers[begin..begin + count]);
                chunk = self.next[chunk as usize];
            }
            sort(&mut numbers, &mut other, self.shift);
            numbers.iter().for_each(|&number| take(number));
        }
    }
}

const DIGIT_BITS: u32 = 9;
const DIGITS: usize = 1 << DIGIT_BITS;
/// Fewer than this are sorted by comparing.
const FEW: usize = 512;

/// Sorts numbers that differ in their lower `bits` alone.
fn sort(numbers: &mut Vec<u64>, other: &mut Vec<u64>, bits: u32) {
    if numbers.len() < FEW {
        numbers.sort_unstable();
        return;
    }
    other.resize(numbers.len(), 0);
    for digit in 0..bits.div_ceil(DIGIT_BITS) {
        let shift = digit * DIGIT_BITS;
        #[expect(clippy::cast_possible_truncation, reason = "a digit is what is left")]
        let digit_of = |number: u64| (number >> shift) as usize & (DIGITS - 1);
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
            (5_000, 0, 0),
        ];
        for (count, bits, largest_bits) in cases {
            let most = |bits: u32| u64::MAX.checked_shr(64 - bits).unwrap_or(0);
            let mut expected: Vec<u64> = (0..count).map(|_| random() & most(bits)).collect();
            let mut sorted = Sorted::new(most(largest_bits), count);
            expected.iter().for_each(|&number| sorted.push(number));
            expected.sort_unstable();
            let mut found = Vec::new();
            sorted.each(|number| found.push(number));
            assert!(found == expected, "{count} numbers of {bits} bits");
        }
    }
}
