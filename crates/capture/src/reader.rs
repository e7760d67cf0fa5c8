//! Reads a capture from bytes, checks all of it, and says what it left out.

use crate::error::{CaptureError, Result};
use crate::format::{
    BLOCK_ALIGN, BLOCK_MAGIC, BlockHeader, BlockKind, FILE_MAGIC, FORMAT_VERSION, FileHeader,
    MAX_JSON_BYTES, MAX_PAYLOAD_BYTES, padding_bytes,
};
use std::mem::offset_of;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use zerocopy::{FromBytes, IntoBytes};

const FILE_HEADER_BYTES: usize = size_of::<FileHeader>();
const BLOCK_HEADER_BYTES: usize = size_of::<BlockHeader>();

/// A checked capture: its whole blocks, in file order. Borrows the bytes, copies none.
#[derive(Clone, Debug)]
pub struct Capture<'a> {
    header: FileHeader,
    blocks: Vec<Block<'a>>,
    damage: Vec<Damage>,
}

/// One whole block whose checksums hold.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// Its header; `count * record_bytes == payload_bytes` holds.
    pub header: BlockHeader,
    /// Where the block begins in the file.
    pub offset: u64,
    /// Its payload without padding; begins at a multiple of 8.
    pub payload: &'a [u8],
}

impl Block<'_> {
    /// What it holds.
    #[must_use]
    pub const fn kind(&self) -> BlockKind {
        BlockKind::from_raw(self.header.kind)
    }
}

/// A part of the file that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
    /// Why it was left out.
    pub reason: String,
}

impl<'a> Capture<'a> {
    /// Checks `bytes`, which begin at a multiple of 8, and finds the blocks.
    ///
    /// A block that is cut off, and everything behind a block header that is not intact, is left
    /// out; so is a block whose payload is damaged. [`Capture::damage`] lists what was.
    ///
    /// # Errors
    ///
    /// [`CaptureError::NotACapture`] or [`CaptureError::Version`] when the file header is not ours.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self> {
        Self::from_bytes_with(bytes, |_| {})
    }

    /// The same; `passed` hears up to where the bytes were read.
    pub(crate) fn from_bytes_with(bytes: &'a [u8], passed: impl FnMut(u64)) -> Result<Self> {
        let header = file_header(bytes)?;
        let mut capture = Self {
            header,
            blocks: Vec::new(),
            damage: Vec::new(),
        };
        capture.scan(bytes, passed);
        Ok(capture)
    }

    /// The file header.
    #[must_use]
    pub const fn header(&self) -> &FileHeader {
        &self.header
    }

    /// The whole blocks.
    #[must_use]
    pub fn blocks(&self) -> &[Block<'a>] {
        &self.blocks
    }

    /// What was left out; empty for an intact file.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Bytes that were left out.
    #[must_use]
    pub fn ignored_bytes(&self) -> u64 {
        self.damage.iter().map(|damage| damage.bytes).sum()
    }

    fn scan(&mut self, bytes: &'a [u8], mut passed: impl FnMut(u64)) {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let mut headers = Headers {
            bytes,
            offset: FILE_HEADER_BYTES,
            ordinal: 0,
        };
        while headers.offset < bytes.len() {
            let (stretch, cut) = headers.stretch();
            self.take_intact(&stretch, threads);
            if let Some(reason) = cut {
                let offset = headers.offset;
                return self.leave_out(offset, bytes.len() - offset, reason);
            }
            passed(headers.offset as u64);
        }
    }

    /// Takes the blocks whose payloads are intact.
    fn take_intact(&mut self, stretch: &[Block<'a>], threads: usize) {
        let mut faults = payload_faults(stretch, threads).into_iter().peekable();
        for (place, block) in stretch.iter().enumerate() {
            match faults.next_if(|(at, _)| *at == place) {
                None => self.blocks.push(*block),
                Some((_, reason)) => {
                    let payload_bytes = block.header.payload_bytes;
                    let padded_bytes = payload_bytes + padding_bytes(payload_bytes);
                    self.damage.push(Damage {
                        offset: block.offset,
                        bytes: BLOCK_HEADER_BYTES as u64 + padded_bytes,
                        reason,
                    });
                }
            }
        }
    }

    fn leave_out(&mut self, offset: usize, bytes: usize, reason: String) {
        self.damage.push(Damage {
            offset: offset as u64,
            bytes: bytes as u64,
            reason,
        });
    }
}

/// The way from header to header.
struct Headers<'a> {
    bytes: &'a [u8],
    offset: usize,
    ordinal: u64,
}

/// Payloads are checked as soon as the headers of so many bytes were read, while their pages are there.
const STRETCH_BYTES: usize = 8 << 20;

impl<'a> Headers<'a> {
    /// The next blocks, and why there are no more where the file is not intact behind them.
    fn stretch(&mut self) -> (Vec<Block<'a>>, Option<String>) {
        let mut blocks = Vec::new();
        let end = self.offset.saturating_add(STRETCH_BYTES);
        while self.offset < self.bytes.len().min(end) {
            let rest = &self.bytes[self.offset..];
            let (header, bytes) = match intact_header(rest, self.ordinal) {
                Ok(found) => found,
                Err(reason) => return (blocks, Some(reason)),
            };
            blocks.push(Block {
                header,
                offset: self.offset as u64,
                payload: &rest[BLOCK_HEADER_BYTES..][..bytes.payload],
            });
            self.offset += bytes.block;
            self.ordinal += 1;
        }
        (blocks, None)
    }
}

/// Fewer bytes than this are checked sooner than a thread is started.
const FEW_BYTES: usize = 1 << 20;

/// The blocks whose payloads are not intact, by place, and why; each thread takes block after block.
fn payload_faults(blocks: &[Block<'_>], threads: usize) -> Vec<(usize, String)> {
    let next = AtomicUsize::new(0);
    let check = || {
        let mut faults = Vec::new();
        loop {
            // Blocks do not change: all that counts is that each is taken once.
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(block) = blocks.get(place) else {
                return faults;
            };
            if let Err(reason) = intact_payload(&block.header, block.payload) {
                faults.push((place, reason));
            }
        }
    };
    let bytes: usize = blocks.iter().map(|block| block.payload.len()).sum();
    let helpers = (threads - 1).min(bytes / FEW_BYTES).min(blocks.len());
    std::thread::scope(|scope| {
        let helpers: Vec<_> = (0..helpers).map(|_| scope.spawn(check)).collect();
        let mut faults = check();
        for helper in helpers {
            match helper.join() {
                Ok(more) => faults.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        faults.sort_unstable();
        faults
    })
}

fn file_header(bytes: &[u8]) -> Result<FileHeader> {
    let not_a_capture = |reason: String| CaptureError::NotACapture { reason };
    if !(bytes.as_ptr().addr() as u64).is_multiple_of(BLOCK_ALIGN) {
        return Err(not_a_capture(
            "its bytes do not begin at a multiple of 8 in memory".to_owned(),
        ));
    }
    let Ok((header, _)) = FileHeader::read_from_prefix(bytes) else {
        return Err(not_a_capture(format!(
            "a file header has {FILE_HEADER_BYTES} bytes, the file has {}",
            bytes.len()
        )));
    };
    if header.magic != FILE_MAGIC {
        return Err(not_a_capture(format!(
            "it begins with {:#018x}, expected {FILE_MAGIC:#018x}",
            header.magic
        )));
    }
    if header.format_version != FORMAT_VERSION {
        return Err(CaptureError::Version {
            found: header.format_version,
            expected: FORMAT_VERSION,
        });
    }
    let checksum = crc32c::crc32c(&header.as_bytes()[..offset_of!(FileHeader, header_checksum)]);
    if header.header_checksum != checksum {
        return Err(not_a_capture(format!(
            "its file header's checksum is {:#010x}, expected {checksum:#010x}",
            header.header_checksum
        )));
    }
    if (
        header.header_bytes as usize,
        header.block_header_bytes as usize,
    ) != (FILE_HEADER_BYTES, BLOCK_HEADER_BYTES)
    {
        return Err(not_a_capture(format!(
            "its headers have {} and {} bytes, expected {FILE_HEADER_BYTES} and {BLOCK_HEADER_BYTES}",
            header.header_bytes, header.block_header_bytes
        )));
    }
    Ok(header)
}

/// Lengths that were proved to lie in the file.
struct WholeBytes {
    payload: usize,
    block: usize,
}

fn intact_header(
    rest: &[u8],
    ordinal: u64,
) -> std::result::Result<(BlockHeader, WholeBytes), String> {
    let Ok((header, behind)) = BlockHeader::read_from_prefix(rest) else {
        return Err(format!(
            "cut in a block header: {} of {BLOCK_HEADER_BYTES} bytes",
            rest.len()
        ));
    };
    let checksum = crc32c::crc32c(&header.as_bytes()[..offset_of!(BlockHeader, header_checksum)]);
    if header.magic != BLOCK_MAGIC || header.header_checksum != checksum {
        return Err("the block header is damaged".to_owned());
    }
    if header.ordinal != ordinal {
        return Err(format!(
            "block {} stands where block {ordinal} is expected",
            header.ordinal
        ));
    }
    let payload_bytes = header.payload_bytes;
    let padded_bytes = payload_bytes.saturating_add(padding_bytes(payload_bytes));
    if payload_bytes > MAX_PAYLOAD_BYTES || padded_bytes > behind.len() as u64 {
        return Err(format!(
            "cut in block {ordinal}: {} of {padded_bytes} payload bytes",
            behind.len()
        ));
    }
    let payload = usize::try_from(payload_bytes).expect("proved smaller than the file");
    let padded = usize::try_from(padded_bytes).expect("proved smaller than the file");
    let whole_bytes = WholeBytes {
        payload,
        block: BLOCK_HEADER_BYTES + padded,
    };
    Ok((header, whole_bytes))
}

fn intact_payload(header: &BlockHeader, payload: &[u8]) -> std::result::Result<(), String> {
    let ordinal = header.ordinal;
    if u64::from(header.count) * u64::from(header.record_bytes) != header.payload_bytes {
        return Err(format!(
            "block {ordinal}: {} items of {} bytes are not {} bytes",
            header.count, header.record_bytes, header.payload_bytes
        ));
    }
    let kind = BlockKind::from_raw(header.kind);
    if kind.is_json() && header.payload_bytes > MAX_JSON_BYTES {
        return Err(format!(
            "block {ordinal} ({}): {} bytes of JSON, at most {MAX_JSON_BYTES} are read",
            kind.name(),
            header.payload_bytes
        ));
    }
    if let Some(item_bytes) = kind.item_bytes()
        && header.record_bytes != item_bytes
    {
        return Err(format!(
            "block {ordinal} ({}): items of {} bytes, expected {item_bytes}",
            kind.name(),
            header.record_bytes
        ));
    }
    if header.payload_checksum != crc32c::crc32c(payload) {
        return Err(format!(
            "block {ordinal} ({}): the payload's checksum is wrong",
            kind.name()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_in_order_from_many_threads() {
        let payload = vec![7_u8; 64 << 10];
        let length = u32::try_from(payload.len()).expect("64 KiB");
        let block = |ordinal: u64| Block {
            header: BlockHeader {
                kind: 0x7777,
                ordinal,
                count: 1,
                record_bytes: length,
                payload_bytes: length.into(),
                payload_checksum: crc32c::crc32c(&payload) ^ u32::from(ordinal % 5 == 3),
                ..BlockHeader::default()
            },
            offset: 0,
            payload: &payload,
        };
        let blocks: Vec<_> = (0..80).map(block).collect();
        let expected: Vec<_> = (3..80).step_by(5).collect();
        for threads in [1, 4] {
            let faults = payload_faults(&blocks, threads).into_iter();
            let places: Vec<usize> = faults.map(|(place, _)| place).collect();
            assert_eq!(places, expected, "{threads} threads");
        }
    }
}
