//! Sorting more rows than memory holds: sorted stretches in a scratch file, merged when they are read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A row that a [`Sorter`] can keep.
pub(crate) trait Sorted: Copy + FromBytes + IntoBytes + Immutable + KnownLayout {
    /// What the rows are sorted by; those of one key keep their order.
    fn key(&self) -> [u64; 3];
}

/// Bytes of rows that are kept in memory.
const HELD_BYTES: usize = 16 << 20;
/// Bytes of each stretch that are read at once.
const READ_BYTES: usize = 64 << 10;

/// Takes rows in any order and gives them back sorted; memory does not grow with their number.
#[derive(Debug)]
pub(crate) struct Sorter<T> {
    folder: PathBuf,
    held: Vec<T>,
    held_most: usize,
    scratch: Option<File>,
    stretches: Vec<(u64, u64)>,
    count: u64,
}

impl<T: Sorted> Sorter<T> {
    /// A sorter whose scratch file, should it need one, lies in `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            held: Vec::new(),
            held_most: HELD_BYTES / size_of::<T>(),
            scratch: None,
            stretches: Vec::new(),
            count: 0,
        }
    }

    #[cfg(test)]
    pub(crate) fn holding(folder: &Path, held_most: usize) -> Self {
        Self {
            held_most,
            ..Self::new(folder)
        }
    }

    /// Rows taken so far.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn push(&mut self, row: T) -> io::Result<()> {
        self.held.push(row);
        self.count += 1;
        if self.held.len() < self.held_most {
            return Ok(());
        }
        self.held.sort_by_key(Sorted::key);
        let begin = self.stretches.last().map_or(0, |&(_, end)| end);
        let bytes = self.held.as_bytes();
        if self.scratch.is_none() {
            self.scratch = Some(crate::scratch::unnamed(&self.folder)?);
        }
        if let Some(scratch) = &self.scratch {
            scratch.write_all_at(bytes, begin)?;
        }
        self.stretches.push((begin, begin + bytes.len() as u64));
        self.held.clear();
        Ok(())
    }

    /// The rows, sorted.
    pub(crate) fn finish(mut self) -> io::Result<Rows<T>> {
        self.held.sort_by_key(Sorted::key);
        let mut rows = Rows {
            stretches: Vec::new(),
            next: BinaryHeap::new(),
            scratch: self.scratch,
        };
        let on_file = self.stretches.into_iter();
        for (begin, end) in on_file {
            rows.stretches.push(Stretch::on_file(begin, end));
        }
        rows.stretches.push(Stretch::in_memory(self.held));
        for place in 0..rows.stretches.len() {
            rows.refill(place)?;
        }
        Ok(rows)
    }
}

/// Sorted rows on their way out.
#[derive(Debug)]
pub(crate) struct Rows<T> {
    stretches: Vec<Stretch<T>>,
    /// The key of the next row of each stretch that has one; the earlier stretch first.
    next: BinaryHeap<Reverse<([u64; 3], usize)>>,
    scratch: Option<File>,
}

#[derive(Debug)]
struct Stretch<T> {
    rows: Vec<T>,
    at: usize,
    begin: u64,
    end: u64,
    kind: PhantomData<T>,
}

impl<T: Sorted> Stretch<T> {
    const fn on_file(begin: u64, end: u64) -> Self {
        Self {
            rows: Vec::new(),
            at: 0,
            begin,
            end,
            kind: PhantomData,
        }
    }

    const fn in_memory(rows: Vec<T>) -> Self {
        Self {
            rows,
            at: 0,
            begin: 0,
            end: 0,
            kind: PhantomData,
        }
    }
}

impl<T: Sorted> Rows<T> {
    /// The next row; `None` behind the last.
    pub(crate) fn next(&mut self) -> io::Result<Option<T>> {
        let Some(Reverse((_, place))) = self.next.pop() else {
            return Ok(None);
        };
        let stretch = &mut self.stretches[place];
        let row = stretch.rows[stretch.at];
        stretch.at += 1;
        self.refill(place)?;
        Ok(Some(row))
    }

    /// Makes the next row of a stretch known, from the file where it is needed.
    fn refill(&mut self, place: usize) -> io::Result<()> {
        let stretch = &mut self.stretches[place];
        if stretch.at == stretch.rows.len() && stretch.begin < stretch.end {
            let most = (READ_BYTES / size_of::<T>()).max(1) * size_of::<T>();
            let left = usize::try_from(stretch.end - stretch.begin).unwrap_or(usize::MAX);
            let mut bytes = vec![0; left.min(most)];
            let scratch = self.scratch.as_ref();
            let scratch = scratch.expect("a stretch with bytes left is on file");
            scratch.read_exact_at(&mut bytes, stretch.begin)?;
            stretch.begin += bytes.len() as u64;
            stretch.at = 0;
            stretch.rows.clear();
            let rows = bytes.chunks_exact(size_of::<T>());
            let rows = rows.map(|row| T::read_from_bytes(row).expect("of the row's length"));
            stretch.rows.extend(rows);
        }
        if let Some(row) = stretch.rows.get(stretch.at) {
            self.next.push(Reverse((row.key(), place)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
    #[repr(C)]
    struct Row {
        key: u64,
        place: u64,
    }

    impl Sorted for Row {
        fn key(&self) -> [u64; 3] {
            [self.key, 0, 0]
        }
    }

    #[test]
    fn rows_come_sorted_and_those_of_one_key_in_their_order() {
        let keys: Vec<u64> = (0..1000_u64).map(|place| place * 7919 % 97).collect();
        let mut expected: Vec<Row> = (0..)
            .zip(&keys)
            .map(|(place, &key)| Row { key, place })
            .collect();
        for held in [1, 3, 64, 1000, 5000] {
            let mut sorter = Sorter::holding(&std::env::temp_dir(), held);
            for row in (0..).zip(&keys).map(|(place, &key)| Row { key, place }) {
                sorter.push(row).unwrap();
            }
            assert_eq!(sorter.count(), 1000);
            let mut rows = sorter.finish().unwrap();
            let found: Vec<Row> = std::iter::from_fn(|| rows.next().unwrap()).collect();
            expected.sort_by_key(Sorted::key);
            assert_eq!(found, expected, "holding {held}");
        }
    }
}
