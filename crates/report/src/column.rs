//! Durations of one kind and their exact quantiles, in little memory.

/// Durations in ticks. Most are short and come again and again: once there are many, these are counted and no
/// longer listed. Each kind is longer than all of the kinds before it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Column {
    /// Below [`COUNTED`], while they are few.
    few: Vec<u16>,
    /// How often each below [`COUNTED`] came, once they are many; empty before.
    counts: Vec<u64>,
    /// Those that fit 32 bits.
    middle: Vec<u32>,
    long: Vec<u64>,
    unknown: u64,
    sum: u128,
}

/// Durations that can be counted.
const COUNTED: usize = 1 << 16;
/// So many are listed in a quarter of the memory that counting takes.
const FEW: usize = COUNTED;

impl Column {
    #[inline]
    pub(crate) fn add(&mut self, ticks: Option<u64>) {
        let Some(ticks) = ticks else {
            self.unknown += 1;
            return;
        };
        self.sum += u128::from(ticks);
        match (u16::try_from(ticks), u32::try_from(ticks)) {
            (Ok(ticks), _) => match self.counts.get_mut(usize::from(ticks)) {
                Some(count) => *count += 1,
                None => self.list(ticks),
            },
            (_, Ok(ticks)) => self.middle.push(ticks),
            _ => self.long.push(ticks),
        }
    }

    fn list(&mut self, ticks: u16) {
        self.few.push(ticks);
        if self.few.len() == FEW {
            self.counts = vec![0; COUNTED];
            for ticks in std::mem::take(&mut self.few) {
                self.counts[usize::from(ticks)] += 1;
            }
        }
    }

    /// The short ones, and how often each came.
    fn short(&self) -> impl Iterator<Item = (u64, u64)> {
        let few = self.few.iter().map(|&ticks| (u64::from(ticks), 1));
        few.chain((0..).zip(self.counts.iter().copied()))
    }

    pub(crate) fn known(&self) -> u64 {
        let listed = self.few.len() + self.middle.len() + self.long.len();
        listed as u64 + self.counts.iter().sum::<u64>()
    }

    pub(crate) fn unknown(&self) -> u64 {
        self.unknown
    }

    pub(crate) fn sum(&self) -> u128 {
        self.sum
    }

    /// How many are longer than `limit`, and their sum.
    pub(crate) fn above(&self, limit: u64) -> (u64, u128) {
        let middle = self.middle.iter().map(|&ticks| (u64::from(ticks), 1));
        let long = self.long.iter().map(|&ticks| (ticks, 1));
        let above = self.short().chain(middle).chain(long);
        above
            .filter(|&(ticks, _)| ticks > limit)
            .fold((0, 0), |(count, sum), (ticks, times)| {
                (count + times, sum + u128::from(ticks) * u128::from(times))
            })
    }

    /// The element that has `per_cent` % of the others before it: at place `n * per_cent / 100`,
    /// rounded down, of the sorted durations; the last for 100.
    pub(crate) fn quantile(&mut self, per_cent: u64) -> Option<u64> {
        let count = self.known();
        let last = count.checked_sub(1)?;
        let place = u128::from(count) * u128::from(per_cent) / 100;
        let mut place = u64::try_from(place).unwrap_or(last).min(last);
        self.few.sort_unstable();
        for (ticks, times) in self.short() {
            match place.checked_sub(times) {
                None => return Some(ticks),
                Some(left) => place = left,
            }
        }
        let place = usize::try_from(place).expect("a place in memory");
        if place < self.middle.len() {
            let (_, ticks, _) = self.middle.select_nth_unstable(place);
            return Some(u64::from(*ticks));
        }
        let place = place - self.middle.len();
        let (_, ticks, _) = self.long.select_nth_unstable(place);
        Some(*ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_elements_of_the_sorted_column() {
        let mut column = Column::default();
        for ticks in (0..200_u64).rev() {
            column.add(Some(ticks));
        }
        column.add(None);
        assert_eq!(column.quantile(0), Some(0));
        assert_eq!(column.quantile(50), Some(100));
        assert_eq!(column.quantile(99), Some(198));
        assert_eq!(column.quantile(100), Some(199));
        assert_eq!((column.known(), column.unknown()), (200, 1));
        assert_eq!(column.sum(), 199 * 100);
    }

    #[test]
    fn long_durations_come_after_short_ones() {
        let mut column = Column::default();
        for ticks in [1 << 40, 7, 1 << 33, 9] {
            column.add(Some(ticks));
        }
        assert_eq!(column.quantile(25), Some(9));
        assert_eq!(column.quantile(50), Some(1 << 33));
        assert_eq!(column.quantile(100), Some(1 << 40));
        assert_eq!(column.sum(), (1 << 40) + (1 << 33) + 16);
    }

    #[test]
    fn many_are_counted_as_few_are_listed() {
        let durations = (0..3 * FEW as u64).map(|place| match place * 7919 % 1000 {
            900.. => place << 20,
            700.. => (1 << 16) + place,
            short => short * 60,
        });
        let mut sorted: Vec<u64> = durations.clone().collect();
        sorted.sort_unstable();
        let mut column = Column::default();
        durations.for_each(|ticks| column.add(Some(ticks)));
        assert!(column.few.is_empty() && !column.counts.is_empty());
        assert_eq!(column.known(), sorted.len() as u64);
        for per_cent in [0, 1, 50, 69, 70, 71, 89, 90, 91, 99, 100] {
            let place = (sorted.len() * per_cent / 100).min(sorted.len() - 1);
            assert_eq!(column.quantile(per_cent as u64), Some(sorted[place]));
        }
        for limit in [0, 30_000, 1 << 16, 1 << 30, u64::MAX] {
            let above: Vec<u64> = sorted
                .iter()
                .copied()
                .filter(|&ticks| ticks > limit)
                .collect();
            let sum = above.iter().map(|&ticks| u128::from(ticks)).sum();
            assert_eq!(column.above(limit), (above.len() as u64, sum));
        }
        assert_eq!(
            column.sum(),
            sorted.iter().map(|&ticks| u128::from(ticks)).sum()
        );
    }

    #[test]
    fn an_empty_column_has_no_quantile() {
        let mut column = Column::default();
        column.add(None);
        assert_eq!(column.quantile(50), None);
    }
}
