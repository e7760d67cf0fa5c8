//! Rows of one kind, in memory or in a mapped capture, by AICPU thread.

use crate::Session;
use lanescope_abi::record::Record;
use lanescope_capture::{CaptureFile, Pass};
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;
use zerocopy::FromBytes;

/// A decoded row and the record it comes from.
pub(crate) trait Row: Copy {
    /// As the device wrote it.
    type Record: Record;

    /// The row of a record; `None` when the record is not such a row, or makes no sense in the session.
    fn of(record: &Self::Record, thread: u32, session: &Session) -> Option<Self>;
}

/// The rows of one kind.
#[derive(Debug)]
pub(crate) enum RowsOf<R: Row> {
    /// By thread.
    Owned(Vec<Vec<R>>),
    Mapped(Mapped<R::Record>),
}

impl<R: Row> Default for RowsOf<R> {
    fn default() -> Self {
        Self::Owned(Vec::new())
    }
}

impl<R: Row> RowsOf<R> {
    /// The rows of a thread, in the order of its lane.
    pub(crate) fn of_thread<'a>(
        &'a self,
        thread: u32,
        session: &'a Session,
    ) -> impl Iterator<Item = R> + 'a {
        let owned = match self {
            Self::Owned(rows) => rows.get(thread as usize).map_or(&[][..], Vec::as_slice),
            Self::Mapped(_) => &[],
        };
        let mapped = match self {
            Self::Owned(_) => None,
            Self::Mapped(mapped) => Some(mapped),
        };
        let records = mapped
            .into_iter()
            .flat_map(move |mapped| mapped.of_thread(thread));
        let decoded = records.filter_map(move |record| R::of(record, thread, session));
        owned.iter().copied().chain(decoded)
    }

    /// One more than the last thread that has rows.
    pub(crate) fn thread_count(&self) -> u32 {
        match self {
            Self::Owned(rows) => u32::try_from(rows.len()).expect("threads are few"),
            Self::Mapped(mapped) => {
                let threads = mapped.blocks.iter().map(|block| block.thread + 1);
                threads.max().unwrap_or(0)
            }
        }
    }
}

/// Records that stay in the mapped file.
#[derive(Debug)]
pub(crate) struct Mapped<T> {
    file: Arc<CaptureFile>,
    blocks: Vec<MappedBlock>,
    record: PhantomData<T>,
}

/// Where a block's records are; proved to lie in the file, aligned, when the capture was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MappedBlock {
    pub(crate) offset: u64,
    pub(crate) count: u32,
    pub(crate) thread: u32,
}

impl<T: Record> Mapped<T> {
    pub(crate) fn new(file: &Arc<CaptureFile>, blocks: Vec<MappedBlock>) -> Self {
        Self {
            file: Arc::clone(file),
            blocks,
            record: PhantomData,
        }
    }

    pub(crate) fn block_count(&self) -> usize {
        self.blocks.len()
    }

    pub(crate) fn record_count(&self) -> u64 {
        let counts = self.blocks.iter().map(|block| u64::from(block.count));
        counts.sum()
    }

    /// The records of a block; what lies before it was read in this pass.
    pub(crate) fn records(&self, block: usize, pass: &mut Pass<'_>) -> &[T] {
        self.of_block(&self.blocks[block], pass)
    }

    /// A new pass over the file.
    pub(crate) fn pass(&self) -> Pass<'_> {
        self.file.pass()
    }

    /// A new pass over what begins with this block.
    pub(crate) fn pass_from(&self, block: usize) -> Pass<'_> {
        let begin = self.blocks.get(block).map_or(0, |block| block.offset);
        self.file.pass_from(begin)
    }

    /// The blocks in at most `count` stretches with about as many records each, none of them empty.
    pub(crate) fn stretches(&self, count: usize) -> Vec<Range<usize>> {
        let each = self.record_count().div_ceil(count as u64);
        let (mut stretches, mut begin, mut records) = (Vec::new(), 0, 0);
        for (place, block) in self.blocks.iter().enumerate() {
            records += u64::from(block.count);
            if records >= each && stretches.len() + 1 < count || place + 1 == self.blocks.len() {
                stretches.push(begin..place + 1);
                (begin, records) = (place + 1, 0);
            }
        }
        stretches
    }

    /// The records of a thread, in the order of its lane.
    pub(crate) fn of_thread(&self, thread: u32) -> impl Iterator<Item = &T> {
        let blocks = self.blocks.iter();
        let blocks = blocks.filter(move |block| block.thread == thread);
        let mut pass = self.pass();
        blocks.flat_map(move |block| self.of_block(block, &mut pass))
    }

    fn of_block(&self, block: &MappedBlock, pass: &mut Pass<'_>) -> &[T] {
        pass.reach(block.offset);
        let start = usize::try_from(block.offset).expect("a mapped file fits the address space");
        let bytes = block.count as usize * size_of::<T>();
        <[T]>::ref_from_bytes(&self.file.bytes()[start..start + bytes])
            .expect("a checked block holds whole records at a multiple of 8")
    }
}
