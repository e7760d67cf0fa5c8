//! Sets of numbers below a limit, and where each stands among the others.

/// A set of numbers, a bit each.
#[derive(Debug)]
pub(crate) struct Members {
    words: Vec<u64>,
    count: usize,
}

impl Members {
    /// An empty set of numbers below `limit`.
    pub(crate) fn none_of(limit: usize) -> Self {
        Self {
            words: vec![0; limit.div_ceil(64)],
            count: 0,
        }
    }

    /// Whether a number was not in the set; it is now.
    pub(crate) fn insert(&mut self, number: u32) -> bool {
        let (word, bit) = place(number);
        let is_new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.count += usize::from(is_new);
        is_new
    }

    /// The same set, which tells where its numbers stand.
    pub(crate) fn ranked(self) -> Ranked {
        let mut before = 0;
        let words = self.words.into_iter().map(|word| {
            let ranked = (word, before);
            before += word.count_ones();
            ranked
        });
        Ranked {
            words: words.collect(),
            count: self.count,
        }
    }
}

/// A set of numbers, and how many of it are below each.
#[derive(Debug)]
pub(crate) struct Ranked {
    /// 64 bits, and how many are set before them.
    words: Vec<(u64, u32)>,
    count: usize,
}

impl Ranked {
    /// How many numbers are in it.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// How many of the set are below a number of it.
    #[inline]
    pub(crate) fn rank(&self, number: u32) -> Option<usize> {
        let (word, bit) = place(number);
        let &(word, before) = self.words.get(word)?;
        let below = word & (bit - 1);
        (word & bit != 0).then(|| (before + below.count_ones()) as usize)
    }
}

/// The word of a number, and its bit there.
#[inline]
const fn place(number: u32) -> (usize, u64) {
    (number as usize / 64, 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_stands_behind_those_below_it() {
        let numbers = [5, 0, 199, 63, 64, 127, 128, 5];
        let mut members = Members::none_of(200);
        let new = numbers.map(|number| members.insert(number));
        assert_eq!(new, [true, true, true, true, true, true, true, false]);
        let ranked = members.ranked();
        assert_eq!(ranked.len(), 7);
        let mut sorted = numbers[..7].to_vec();
        sorted.sort_unstable();
        for number in 0..300 {
            let expected = sorted.iter().position(|&member| member == number);
            assert_eq!(ranked.rank(number), expected, "{number}");
        }
    }
}
