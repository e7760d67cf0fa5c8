//! Sorts numbers by their digits: linear in how many there are.

const DIGIT_BITS: u32 = 11;
const DIGITS: usize = 1 << DIGIT_BITS;
/// Fewer than this are sorted by comparing.
const FEW: usize = 1 << 14;

/// Sorts numbers; takes as much memory again.
pub(crate) fn sort(numbers: &mut Vec<u64>) {
    if numbers.len() < FEW {
        numbers.sort_unstable();
        return;
    }
    let largest = numbers.iter().copied().max().unwrap_or(0);
    let bits = u64::BITS - largest.leading_zeros();
    let mut other = vec![0; numbers.len()];
    for digit in 0..bits.div_ceil(DIGIT_BITS) {
        let shift = digit * DIGIT_BITS;
        #[expect(clippy::cast_possible_truncation, reason = "a digit is what is left")]
        let digit_of = |number: u64| (number >> shift) as usize & (DIGITS - 1);
        let mut places = vec![0_usize; DIGITS];
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
        std::mem::swap(numbers, &mut other);
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
        for (count, bits) in [(0, 64), (3, 64), (FEW, 1), (FEW + 1, 64), (3 * FEW, 23)] {
            let mut numbers: Vec<u64> = (0..count).map(|_| random() >> (64 - bits)).collect();
            let mut expected = numbers.clone();
            expected.sort_unstable();
            sort(&mut numbers);
            assert!(numbers == expected, "{count} numbers of {bits} bits");
        }
    }
}
