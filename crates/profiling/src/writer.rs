//! The writer thread, and the blocks that travel to it and back.

use crate::sync::mpsc::{Receiver, RecvError, Sender};
use lanescope_abi::{Kind, is_mutant};
use lanescope_capture::{CaptureError, CaptureWriter, PayloadBlock, PayloadHeader, RecordBlock};
use std::io::Write;
use std::time::Duration;
use zerocopy::IntoBytes;

/// How long the file may take for one block, unless the profiler is told otherwise.
pub(crate) const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// A host block: the copy of one device buffer, or of a piece of an arena, on its way to the file.
#[derive(Debug)]
pub(crate) struct HostBlock {
    words: Box<[u64]>,
    pub(crate) bytes: usize,
    /// Index of the collector that checked it.
    pub(crate) collector: usize,
    /// Kind of the records; `None` for a piece of an arena.
    pub(crate) kind: Option<Kind>,
    pub(crate) record_bytes: u32,
    pub(crate) thread: u32,
    pub(crate) lane: u32,
    pub(crate) run_id: u32,
    pub(crate) sequence: u64,
    pub(crate) checksum: u32,
}

impl HostBlock {
    pub(crate) fn new(capacity_bytes: usize) -> Self {
        Self {
            words: vec![0; capacity_bytes.div_ceil(size_of::<u64>())].into_boxed_slice(),
            bytes: 0,
            collector: 0,
            kind: None,
            record_bytes: 0,
            thread: 0,
            lane: 0,
            run_id: 0,
            sequence: 0,
            checksum: 0,
        }
    }

    /// The records in it, or a payload header and lines; begins at a multiple of 8.
    pub(crate) fn contents(&self) -> &[u8] {
        &self.words.as_bytes()[..self.bytes]
    }

    /// Room for `bytes` bytes of an arena, from this position on.
    pub(crate) fn payload_room(&mut self, position: u64, bytes: usize) -> &mut [u8] {
        let header = PayloadHeader {
            position,
            ..PayloadHeader::default()
        };
        let (first, rest) = self
            .room(size_of::<PayloadHeader>() + bytes)
            .split_at_mut(size_of::<PayloadHeader>());
        first.copy_from_slice(header.as_bytes());
        rest
    }

    /// How many records are in it.
    pub(crate) fn record_count(&self) -> u64 {
        match self.kind {
            Some(_) => self.bytes as u64 / u64::from(self.record_bytes),
            None => 0,
        }
    }

    fn write<W: Write>(&self, writer: &mut CaptureWriter<W>) -> lanescope_capture::Result<()> {
        let (bytes, checksum) = (self.contents(), self.checksum);
        match self.kind {
            Some(kind) => writer.records(&RecordBlock {
                kind,
                lane: self.lane,
                run_id: self.run_id,
                sequence: self.sequence,
                record_bytes: self.record_bytes,
                bytes,
                checksum,
            }),
            None => writer.payload(&PayloadBlock {
                lane: self.lane,
                run_id: self.run_id,
                sequence: self.sequence,
                bytes,
                checksum,
            }),
        }
    }

    /// Room for `bytes` bytes of records.
    pub(crate) fn room(&mut self, bytes: usize) -> &mut [u8] {
        self.bytes = bytes;
        &mut self.words.as_mut_bytes()[..bytes]
    }
}

/// A block that comes back from the writer thread.
#[derive(Debug)]
pub(crate) struct Returned {
    pub(crate) block: HostBlock,
    pub(crate) is_written: bool,
}

/// The drain thread's ends of the two channels. Their length is bounded by the number of blocks.
#[derive(Debug)]
pub(crate) struct Outlet {
    pub(crate) full: Sender<HostBlock>,
    pub(crate) returned: Receiver<Returned>,
    /// Longest wait for a block to come back.
    pub(crate) write_limit: Duration,
}

/// What the writer thread leaves.
pub(crate) struct WriterEnd<W> {
    pub(crate) writer: CaptureWriter<W>,
    pub(crate) failure: Option<CaptureError>,
}

/// The writer thread: appends blocks until the drain thread has no more. After a failed write the
/// blocks still come back, unwritten, so that the lanes go on.
pub(crate) fn write_blocks<W: Write>(
    mut writer: CaptureWriter<W>,
    blocks: &Receiver<HostBlock>,
    give_back: &Sender<Returned>,
) -> WriterEnd<W> {
    let mut failure = None;
    while let Ok(block) = next(blocks) {
        let written = block.write(&mut writer);
        let is_written = written.is_ok();
        if let Err(error) = written {
            failure.get_or_insert(error);
        }
        if give_back.send(Returned { block, is_written }).is_err() {
            break;
        }
    }
    WriterEnd { writer, failure }
}

/// The next block; waits for it as long as the drain thread may send one.
fn next(blocks: &Receiver<HostBlock>) -> std::result::Result<HostBlock, RecvError> {
    if is_mutant("writer-ends-before-drain") {
        return blocks.try_recv().map_err(|_| RecvError);
    }
    blocks.recv()
}
