//! The largest few of many.

/// How many are kept.
pub(crate) const KEPT: usize = 10;

/// The largest few of many, largest first; of equals the first offered.
#[derive(Clone, Debug)]
pub(crate) struct Ranking<T> {
    kept: Vec<(u64, T)>,
}

impl<T> Ranking<T> {
    pub(crate) fn new() -> Self {
        Self {
            kept: Vec::with_capacity(KEPT + 1),
        }
    }

    /// Keeps `item` if it is among the largest so far.
    #[inline]
    pub(crate) fn offer(&mut self, size: u64, item: T) {
        let is_small = |(least, _): &(u64, T)| size <= *least;
        if self.kept.len() == KEPT && self.kept.last().is_some_and(is_small) {
            return;
        }
        self.insert(size, item);
    }

    #[cold]
    fn insert(&mut self, size: u64, item: T) {
        let place = self.kept.partition_point(|(kept, _)| *kept >= size);
        self.kept.insert(place, (size, item));
        self.kept.truncate(KEPT);
    }

    /// What was kept, largest first.
    pub(crate) fn into_items(self) -> impl Iterator<Item = (u64, T)> {
        self.kept.into_iter()
    }
}
