//! Durations of one kind, four bytes each, and their exact quantiles.

/// Durations in ticks. Nearly all fit 32 bits; the few that do not are kept apart, and are larger
/// than all others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Column {
    short: Vec<u32>,
    long: Vec<u64>,
    unknown: u64,
    sum: u128,
}

impl Column {
    #[inline]
    pub(crate) fn add(&mut self, ticks: Option<u64>) {
        let Some(ticks) = ticks else {
            self.unknown += 1;
            return;
        };
        self.sum += u128::from(ticks);
        match u32::try_from(ticks) {
            Ok(ticks) => self.short.push(ticks),
            Err(_) => self.long.push(ticks),
        }
    }

    pub(crate) fn known(&self) -> u64 {
        (self.short.len() + self.long.len()) as u64
    }

    pub(crate) fn unknown(&self) -> u64 {
        self.unknown
    }

    pub(crate) fn sum(&self) -> u128 {
        self.sum
    }

    /// How many are longer than `limit`, and their sum.
    pub(crate) fn above(&self, limit: u64) -> (u64, u128) {
        let short = self.short.iter().map(|&ticks| u64::from(ticks));
        let above = short.chain(self.long.iter().copied());
        above
            .filter(|&ticks| ticks > limit)
            .fold((0, 0), |(count, sum), ticks| {
                (count + 1, sum + u128::from(ticks))
            })
    }

    /// The element that has `per_cent` % of the others before it: at place `n * per_cent / 100`,
    /// rounded down, of the sorted durations; the last for 100.
    pub(crate) fn quantile(&mut self, per_cent: usize) -> Option<u64> {
        let count = self.short.len() + self.long.len();
        let last = count.checked_sub(1)?;
        let place = (count * per_cent / 100).min(last);
        if place < self.short.len() {
            let (_, ticks, _) = self.short.select_nth_unstable(place);
            return Some(u64::from(*ticks));
        }
        let place = place - self.short.len();
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
    fn an_empty_column_has_no_quantile() {
        let mut column = Column::default();
        column.add(None);
        assert_eq!(column.quantile(50), None);
    }
}
