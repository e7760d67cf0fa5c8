//! Edges between tasks of any id, numbered as a capture wants them, without a table of all ids in memory.

use crate::sorter::{Sorted, Sorter};
use lanescope_capture::{CaptureError, CaptureWriter, Edge};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Pairs of a producer's and a consumer's task id on their way into a capture.
#[derive(Debug)]
pub(super) struct EdgeDraft {
    folder: PathBuf,
    pairs: Sorter<Pair>,
    ids: Sorter<Id>,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Pair {
    producer: u64,
    consumer: u64,
    /// Which of all pairs it is.
    place: u64,
}

impl Sorted for Pair {
    fn key(&self) -> [u64; 3] {
        [self.producer, self.consumer, self.place]
    }
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Id(u64);

impl Sorted for Id {
    fn key(&self) -> [u64; 3] {
        [self.0, 0, 0]
    }
}

/// A pair whose producer has its number already.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct ByConsumer(Pair);

impl Sorted for ByConsumer {
    fn key(&self) -> [u64; 3] {
        [self.0.consumer, self.0.producer, self.0.place]
    }
}

/// Both are numbers.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Numbered(Pair);

impl Sorted for Numbered {
    fn key(&self) -> [u64; 3] {
        [self.0.producer, self.0.place, 0]
    }
}

const IDS_PER_BLOCK: usize = 1 << 16;

impl EdgeDraft {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            pairs: Sorter::new(folder),
            ids: Sorter::new(folder),
        }
    }

    pub(super) fn push(&mut self, producer: u64, consumer: u64) -> io::Result<()> {
        let place = self.pairs.count();
        self.ids.push(Id(producer))?;
        self.ids.push(Id(consumer))?;
        self.pairs.push(Pair {
            producer,
            consumer,
            place,
        })
    }

    /// Writes task ids and edges, each edge once: by producer, the successors in the order they came in.
    ///
    /// Both ends are looked up by walking the sorted ids beside the sorted pairs.
    pub(super) fn write(
        self,
        run_id: u32,
        writer: &mut CaptureWriter<impl Write>,
    ) -> Result<(), WriteError> {
        let Self { folder, pairs, ids } = self;
        if pairs.count() == 0 {
            return Ok(());
        }
        let ids = unique(ids, &folder, run_id, writer)?;
        let mut by_consumer = Sorter::new(&folder);
        let mut numbers = Numbers::of(&ids)?;
        let mut rows = pairs.finish()?;
        let mut latest = None;
        while let Some(pair) = rows.next()? {
            if latest == Some((pair.producer, pair.consumer)) {
                continue;
            }
            latest = Some((pair.producer, pair.consumer));
            let producer = numbers.of_id(pair.producer)?;
            by_consumer.push(ByConsumer(Pair { producer, ..pair }))?;
        }
        let mut numbered = Sorter::new(&folder);
        let mut numbers = Numbers::of(&ids)?;
        let mut rows = by_consumer.finish()?;
        while let Some(ByConsumer(pair)) = rows.next()? {
            let consumer = numbers.of_id(pair.consumer)?;
            numbered.push(Numbered(Pair { consumer, ..pair }))?;
        }
        let mut rows = numbered.finish()?;
        let mut block = Vec::with_capacity(IDS_PER_BLOCK);
        while let Some(Numbered(pair)) = rows.next()? {
            let number = |id: u64| u32::try_from(id).expect("numbers were checked to fit");
            block.push(Edge {
                producer: number(pair.producer),
                consumer: number(pair.consumer),
            });
            if block.len() == IDS_PER_BLOCK {
                writer.edges(run_id, &block)?;
                block.clear();
            }
        }
        writer.edges(run_id, &block)?;
        Ok(())
    }
}

/// What can fail while the capture is written.
#[derive(Debug)]
pub(super) enum WriteError {
    Scratch(io::Error),
    Capture(CaptureError),
    /// Of what, how many, and how many there can be.
    TooMany(&'static str, u64, u64),
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Scratch(error)
    }
}

impl From<CaptureError> for WriteError {
    fn from(error: CaptureError) -> Self {
        Self::Capture(error)
    }
}

/// Writes every id once, sorted, into the capture, and into a file for looking up.
fn unique(
    ids: Sorter<Id>,
    folder: &Path,
    run_id: u32,
    writer: &mut CaptureWriter<impl Write>,
) -> Result<std::fs::File, WriteError> {
    let mut rows = ids.finish()?;
    let file = crate::scratch::unnamed(folder)?;
    let mut out = io::BufWriter::with_capacity(1 << 20, file);
    let mut block: Vec<u64> = Vec::with_capacity(IDS_PER_BLOCK);
    let (mut latest, mut count) = (None, 0_u64);
    while let Some(Id(id)) = rows.next()? {
        if latest == Some(id) {
            continue;
        }
        latest = Some(id);
        count += 1;
        out.write_all(&id.to_le_bytes())?;
        block.push(id);
        if block.len() == IDS_PER_BLOCK {
            writer.task_ids(run_id, &block)?;
            block.clear();
        }
    }
    writer.task_ids(run_id, &block)?;
    if u32::try_from(count).is_err() {
        let limit = u64::from(u32::MAX);
        return Err(WriteError::TooMany("tasks with edges", count, limit));
    }
    out.into_inner().map_err(|error| error.into_error().into())
}

/// The numbers of ids that are asked for in ascending order.
struct Numbers {
    ids: io::BufReader<std::fs::File>,
    next: u64,
    current: Option<u64>,
}

impl Numbers {
    fn of(ids: &std::fs::File) -> io::Result<Self> {
        use io::Seek;
        let mut ids = ids.try_clone()?;
        ids.rewind()?;
        Ok(Self {
            ids: io::BufReader::with_capacity(1 << 18, ids),
            next: 0,
            current: None,
        })
    }

    fn of_id(&mut self, id: u64) -> io::Result<u64> {
        use io::Read;
        while self.current != Some(id) {
            let mut bytes = [0; 8];
            self.ids.read_exact(&mut bytes)?;
            self.current = Some(u64::from_le_bytes(bytes));
            self.next += 1;
        }
        Ok(self.next - 1)
    }
}
