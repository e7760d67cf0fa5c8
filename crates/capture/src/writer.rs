//! Appends blocks to a capture.

use crate::error::{CaptureError, Result};
use crate::format::{
    BLOCK_MAGIC, BlockHeader, BlockKind, Clock, Edge, EndOfRun, FILE_MAGIC, FORMAT_VERSION,
    FileHeader, MAX_JSON_BYTES, MAX_PAYLOAD_BYTES, NO_LANE, PayloadHeader, padding_bytes,
};
use crate::{FunctionName, SessionInfo, Verdict};
use lanescope_abi::Kind;
use serde::Serialize;
use std::collections::HashMap;
use std::io::{self, IoSlice, Write};
use std::mem::offset_of;
use zerocopy::IntoBytes;

/// Items of one block of edges, task ids or clocks: 512 KiB of 8-byte items.
const ITEMS_PER_BLOCK: usize = 1 << 16;
/// Escapes make JSON of names six times as long at most.
const NAME_BYTES_PER_BLOCK: usize = 4 << 20;

/// Writes a capture, block by block. Nothing is buffered: a returned call has handed its block to
/// `inner` in one vectored write where `inner` can do that.
///
/// # Errors
///
/// Every method fails with [`CaptureError::Write`] when `inner` does, and from then on with
/// [`CaptureError::WriterFailed`]: what is in the file stays readable.
#[derive(Debug)]
pub struct CaptureWriter<W> {
    inner: W,
    offset: u64,
    ordinal: u64,
    failed: bool,
    runs: HashMap<u32, RunTally>,
}

/// What was written of one run.
#[derive(Debug, Default)]
struct RunTally {
    blocks: u64,
    records: u64,
    sequences: HashMap<u32, u64>,
}

/// Device records of one buffer.
#[derive(Clone, Copy, Debug)]
pub struct RecordBlock<'a> {
    /// Their kind.
    pub kind: Kind,
    /// The lane they came through.
    pub lane: u32,
    /// The run they belong to.
    pub run_id: u32,
    /// The buffer's sequence number in its lane.
    pub sequence: u64,
    /// Bytes of a record.
    pub record_bytes: u32,
    /// The records, whole ones, as the device wrote them.
    pub bytes: &'a [u8],
    /// CRC-32C of `bytes`; [`RecordBlock::checksum`] makes it.
    pub checksum: u32,
}

/// A piece of a lane's arena.
#[derive(Clone, Copy, Debug)]
pub struct PayloadBlock<'a> {
    /// The lane.
    pub lane: u32,
    /// The run it belongs to.
    pub run_id: u32,
    /// 0, 1, 2 … in the lane and run.
    pub sequence: u64,
    /// A [`PayloadHeader`](crate::PayloadHeader) and whole lines of the arena.
    pub bytes: &'a [u8],
    /// CRC-32C of `bytes`; [`RecordBlock::checksum`] makes it.
    pub checksum: u32,
}

impl RecordBlock<'_> {
    /// The checksum of a block's bytes.
    #[must_use]
    pub fn checksum(bytes: &[u8]) -> u32 {
        crc32c::crc32c(bytes)
    }
}

impl<W: Write> CaptureWriter<W> {
    /// Begins a capture: writes the file header.
    ///
    /// # Errors
    ///
    /// See [`CaptureWriter`].
    pub fn new(inner: W) -> Result<Self> {
        let mut writer = Self {
            inner,
            offset: 0,
            ordinal: 0,
            failed: false,
            runs: HashMap::new(),
        };
        let mut header = FileHeader {
            magic: FILE_MAGIC,
            format_version: FORMAT_VERSION,
            header_bytes: bytes_of::<FileHeader>(),
            block_header_bytes: bytes_of::<BlockHeader>(),
            abi_version: lanescope_abi::ABI_VERSION,
            abi_hash: lanescope_abi::ABI_HASH,
            reserved: [0; 7],
            header_checksum: 0,
        };
        let checked = &header.as_bytes()[..offset_of!(FileHeader, header_checksum)];
        header.header_checksum = crc32c::crc32c(checked);
        writer.write(&[header.as_bytes()])?;
        Ok(writer)
    }

    /// Begins a run.
    ///
    /// # Errors
    ///
    /// See [`CaptureWriter`]; [`CaptureError::BadBlock`] when the run's id is 0.
    pub fn session(&mut self, session: &SessionInfo) -> Result<()> {
        if session.run_id == 0 {
            return Err(bad(BlockKind::Session, "a run's id is never 0"));
        }
        self.json(BlockKind::Session, session.run_id, session)
    }

    /// Names the functions of a run.
    ///
    /// # Errors
    ///
    /// See [`CaptureWriter`].
    pub fn functions(&mut self, run_id: u32, functions: &[FunctionName]) -> Result<()> {
        if functions.is_empty() {
            return self.json(BlockKind::Functions, run_id, &functions);
        }
        let mut bytes = 0;
        let is_one_block = |_: &FunctionName, next: &FunctionName| {
            bytes += next.name.len();
            let fits = bytes <= NAME_BYTES_PER_BLOCK;
            if !fits {
                bytes = next.name.len();
            }
            fits
        };
        functions
            .chunk_by(is_one_block)
            .flat_map(|part| part.chunks(ITEMS_PER_BLOCK))
            .try_for_each(|part| self.json(BlockKind::Functions, run_id, &part))
    }

    /// Adds edges; may be called any number of times.
    ///
    /// # Errors
    ///
    /// See [`CaptureWriter`].
    pub fn edges(&mut self, run_id: u32, edges: &[Edge]) -> Result<()> {
        edges
            .chunks(ITEMS_PER_BLOCK)
            .try_for_each(|part| self.items(BlockKind::Edges, run_id, part.len(), part.as_bytes()))
    }

    /// Adds task ids in graph order; not needed when the id of each task is its index.
    ///
    /// # Errors
    ///
    /// See [`CaptureWriter`].
    pub fn task_ids(&mut self, run_id: u32, ids: &[u64]) -> Result<()> {
        ids.chunks(ITEMS_PER_BLOCK).try_for_each(|part| {
            self.items(BlockKind::TaskIds, run_id, part.len(), part.as_bytes())
        })
    }

    /// Adds clock pairs.
    ///
    /// # Errors
    ///
    /// See [`CaptureWriter`].
    pub fn clocks(&mut self, run_id: u32, clocks: &[Clock]) -> Result<()> {
        clocks
            .chunks(ITEMS_PER_BLOCK)
            .try_for_each(|part| self.items(BlockKind::Clocks, run_id, part.len(), part.as_bytes()))
    }

    /// Adds the records of one buffer.
    ///
    /// # Errors
    ///
    /// See [`CaptureWriter`]; [`CaptureError::BadBlock`] when `bytes` are not whole records.
    pub fn records(&mut self, block: &RecordBlock<'_>) -> Result<()> {
        let kind = BlockKind::Records(block.kind);
        let record_bytes = block.record_bytes;
        let bytes = block.bytes.len() as u64;
        if bytes == 0 || record_bytes == 0 || !bytes.is_multiple_of(u64::from(record_bytes)) {
            return Err(bad(
                kind,
                &format!("{bytes} bytes are no whole records of {record_bytes} bytes"),
            ));
        }
        debug_assert_eq!(block.checksum, RecordBlock::checksum(block.bytes));
        let count = bytes / u64::from(record_bytes);
        let header = BlockHeader {
            lane: block.lane,
            run_id: block.run_id,
            sequence: block.sequence,
            count: fit(kind, count)?,
            record_bytes,
            payload_bytes: bytes,
            payload_checksum: block.checksum,
            ..BlockHeader::default()
        };
        self.block(kind, header, block.bytes)?;
        self.runs.entry(block.run_id).or_default().records += count;
        Ok(())
    }

    /// Adds a piece of a lane's arena; pieces that records speak of come before them.
    ///
    /// # Errors
    ///
    /// See [`CaptureWriter`]; [`CaptureError::BadBlock`] when `bytes` are not whole lines, or the first
    /// alone.
    pub fn payload(&mut self, block: &PayloadBlock<'_>) -> Result<()> {
        let kind = BlockKind::Payload;
        let line_bytes = bytes_of::<PayloadHeader>();
        let bytes = block.bytes.len() as u64;
        if bytes <= u64::from(line_bytes) || !bytes.is_multiple_of(u64::from(line_bytes)) {
            return Err(bad(
                kind,
                &format!("{bytes} bytes are no header and whole lines"),
            ));
        }
        debug_assert_eq!(block.checksum, RecordBlock::checksum(block.bytes));
        let header = BlockHeader {
            lane: block.lane,
            run_id: block.run_id,
            sequence: block.sequence,
            count: fit(kind, bytes / u64::from(line_bytes))?,
            record_bytes: line_bytes,
            payload_bytes: bytes,
            payload_checksum: block.checksum,
            ..BlockHeader::default()
        };
        self.block(kind, header, block.bytes)
    }

    /// Adds the verdict of a run.
    ///
    /// # Errors
    ///
    /// See [`CaptureWriter`].
    pub fn verdict(&mut self, verdict: &Verdict) -> Result<()> {
        self.json(BlockKind::Verdict, verdict.run_id, verdict)
    }

    /// Closes a run and flushes `inner`.
    ///
    /// # Errors
    ///
    /// See [`CaptureWriter`].
    pub fn end_run(&mut self, run_id: u32) -> Result<()> {
        let tally = self.runs.remove(&run_id).unwrap_or_default();
        let end = EndOfRun {
            blocks: tally.blocks,
            records: tally.records,
        };
        self.items(BlockKind::EndOfRun, run_id, 1, end.as_bytes())?;
        self.runs.remove(&run_id);
        self.flush()
    }

    /// Flushes `inner`.
    ///
    /// # Errors
    ///
    /// See [`CaptureWriter`].
    pub fn flush(&mut self) -> Result<()> {
        self.inner.flush().map_err(|source| {
            self.failed = true;
            self.write_error(source)
        })
    }

    /// Whether a run was begun and not yet closed.
    #[must_use]
    pub fn has_session(&self, run_id: u32) -> bool {
        self.runs
            .get(&run_id)
            .is_some_and(|run| run.sequences.contains_key(&BlockKind::Session.raw()))
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn written_bytes(&self) -> u64 {
        self.offset
    }

    /// Whether a write failed.
    #[must_use]
    pub const fn is_failed(&self) -> bool {
        self.failed
    }

    /// Flushes and gives back what was written to.
    ///
    /// # Errors
    ///
    /// See [`CaptureWriter`].
    pub fn into_inner(mut self) -> Result<W> {
        self.flush()?;
        Ok(self.inner)
    }

    fn json<T: Serialize + ?Sized>(
        &mut self,
        kind: BlockKind,
        run_id: u32,
        value: &T,
    ) -> Result<()> {
        let text = serde_json::to_vec(value).map_err(|reason| bad(kind, &reason.to_string()))?;
        if text.len() as u64 > MAX_JSON_BYTES {
            let bytes = text.len();
            let reason = format!("{bytes} bytes of JSON are more than {MAX_JSON_BYTES}");
            return Err(bad(kind, &reason));
        }
        let header = BlockHeader {
            count: 1,
            record_bytes: fit(kind, text.len() as u64)?,
            ..self.host_header(kind, run_id, &text)
        };
        self.block(kind, header, &text)
    }

    fn items(&mut self, kind: BlockKind, run_id: u32, count: usize, bytes: &[u8]) -> Result<()> {
        let header = BlockHeader {
            count: fit(kind, count as u64)?,
            record_bytes: kind.item_bytes().unwrap_or_default(),
            ..self.host_header(kind, run_id, bytes)
        };
        self.block(kind, header, bytes)
    }

    fn host_header(&mut self, kind: BlockKind, run_id: u32, bytes: &[u8]) -> BlockHeader {
        let run = self.runs.entry(run_id).or_default();
        let next = run.sequences.entry(kind.raw()).or_default();
        let sequence = *next;
        *next += 1;
        BlockHeader {
            lane: NO_LANE,
            run_id,
            sequence,
            payload_bytes: bytes.len() as u64,
            payload_checksum: crc32c::crc32c(bytes),
            ..BlockHeader::default()
        }
    }

    fn block(&mut self, kind: BlockKind, mut header: BlockHeader, payload: &[u8]) -> Result<()> {
        if header.payload_bytes > MAX_PAYLOAD_BYTES {
            return Err(bad(
                kind,
                &format!("{} bytes are more than {MAX_PAYLOAD_BYTES}", payload.len()),
            ));
        }
        header.magic = BLOCK_MAGIC;
        header.kind = kind.raw();
        header.ordinal = self.ordinal;
        let checked = &header.as_bytes()[..offset_of!(BlockHeader, header_checksum)];
        header.header_checksum = crc32c::crc32c(checked);
        let padding = [0; 8];
        let padding_length = usize::try_from(padding_bytes(header.payload_bytes))
            .expect("padding is shorter than 8 bytes");
        self.write(&[header.as_bytes(), payload, &padding[..padding_length]])?;
        self.ordinal += 1;
        self.runs.entry(header.run_id).or_default().blocks += 1;
        Ok(())
    }

    fn write(&mut self, parts: &[&[u8]]) -> Result<()> {
        if self.failed {
            return Err(CaptureError::WriterFailed);
        }
        if let Err(source) = write_all(&mut self.inner, parts) {
            self.failed = true;
            return Err(self.write_error(source));
        }
        self.offset += parts.iter().map(|part| part.len() as u64).sum::<u64>();
        Ok(())
    }

    const fn write_error(&self, source: io::Error) -> CaptureError {
        CaptureError::Write {
            ordinal: self.ordinal,
            offset: self.offset,
            source,
        }
    }
}

/// Writes all parts, at most three, in as few calls as `to` allows.
fn write_all(to: &mut impl Write, parts: &[&[u8]]) -> io::Result<()> {
    let mut slices = [IoSlice::new(&[]); 3];
    for (slice, part) in slices.iter_mut().zip(parts) {
        *slice = IoSlice::new(part);
    }
    let mut rest = &mut slices[..parts.len()];
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match to.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn bytes_of<T>() -> u32 {
    u32::try_from(size_of::<T>()).expect("headers are small")
}

fn fit(kind: BlockKind, value: u64) -> Result<u32> {
    u32::try_from(value).map_err(|_| bad(kind, &format!("{value} does not fit 32 bits")))
}

fn bad(kind: BlockKind, reason: &str) -> CaptureError {
    CaptureError::BadBlock {
        kind: kind.name(),
        reason: reason.to_owned(),
    }
}
