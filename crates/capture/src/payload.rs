//! The payloads of a lane: where in the file the bytes lie that its records speak of.

use crate::format::{BlockKind, PayloadHeader};
use crate::{Block, CaptureRun};
use lanescope_abi::{ArenaMark, Checksum, LINE_BYTES, TensorRecord};
use zerocopy::{FromBytes, IntoBytes};

const LINE: usize = size_of::<ArenaMark>();

/// The pieces of one lane's arena that a run has in its file, by position. Copies nothing.
#[derive(Clone, Debug, Default)]
pub struct Payloads<'a> {
    /// Position and bytes; positions ascend and pieces do not overlap.
    pieces: Vec<(u64, &'a [u8])>,
}

/// The bytes of one payload, as slices of the file in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    slices: Vec<&'a [u8]>,
}

/// Why a record has no payload to believe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PayloadFault {
    /// The file has not all of its bytes.
    #[error("its bytes are not in the capture")]
    Missing,
    /// A mark before or behind it, or its checksum, is not what the record says.
    #[error("its bytes were overwritten before they were copied")]
    Overwritten,
}

impl<'a> CaptureRun<'a> {
    /// The payloads of a lane. A piece whose position does not lie behind the last one's end is left
    /// out: no writer makes one.
    #[must_use]
    pub fn payloads(&self, lane: u32) -> Payloads<'a> {
        let mut payloads = Payloads::default();
        for block in self.blocks() {
            if block.kind() == BlockKind::Payload && block.header.lane == lane {
                payloads.add(block);
            }
        }
        payloads
    }
}

impl<'a> Payloads<'a> {
    fn add(&mut self, block: &Block<'a>) {
        let Ok((header, bytes)) = PayloadHeader::read_from_prefix(block.payload) else {
            return;
        };
        let end = self
            .pieces
            .last()
            .map_or(0, |&(position, bytes)| position + bytes.len() as u64);
        let fits = header.position.checked_add(bytes.len() as u64).is_some();
        if header.position >= end && fits && !bytes.is_empty() {
            self.pieces.push((header.position, bytes));
        }
    }

    /// The payload that a record speaks of, when all of it is there and nothing says that it was
    /// overwritten.
    ///
    /// # Errors
    ///
    /// [`PayloadFault`]. A record may say anything.
    pub fn of(&self, record: &TensorRecord) -> Result<Payload<'a>, PayloadFault> {
        let lines = record.payload_bytes.div_ceil(LINE_BYTES);
        let begin = record.payload_begin;
        let first = begin.checked_add(LINE_BYTES);
        let behind = lines
            .checked_mul(LINE_BYTES)
            .and_then(|bytes| first?.checked_add(bytes));
        let (Some(first), Some(behind)) = (first, behind) else {
            return Err(PayloadFault::Missing);
        };
        let before = self.mark(begin)?;
        let after = self.mark(behind)?;
        let padded = self.slices(first, behind)?;
        let expected = ArenaMark {
            sequence: record.sequence,
            payload_begin: begin,
            payload_bytes: record.payload_bytes,
            ..ArenaMark::default()
        };
        let closing = ArenaMark {
            checksum: record.checksum,
            ..expected
        };
        if before != expected || after != closing || checksum(&padded) != record.checksum {
            return Err(PayloadFault::Overwritten);
        }
        let mut slices = padded;
        let padding = lines * LINE_BYTES - record.payload_bytes;
        if let Some(last) = slices.last_mut() {
            *last = &last[..last.len() - usize::try_from(padding).expect("below a line")];
        }
        Ok(Payload { slices })
    }

    fn mark(&self, position: u64) -> Result<ArenaMark, PayloadFault> {
        let end = position
            .checked_add(LINE_BYTES)
            .ok_or(PayloadFault::Missing)?;
        let mut mark = ArenaMark::default();
        let mut to = mark.as_mut_bytes();
        for slice in self.slices(position, end)? {
            to[..slice.len()].copy_from_slice(slice);
            to = &mut to[slice.len()..];
        }
        Ok(mark)
    }

    /// The bytes of a range of positions.
    fn slices(&self, begin: u64, end: u64) -> Result<Vec<&'a [u8]>, PayloadFault> {
        let mut slices = Vec::new();
        let mut next = begin;
        let after = self
            .pieces
            .partition_point(|&(position, _)| position <= begin);
        for &(position, bytes) in &self.pieces[after.saturating_sub(1)..] {
            if next >= end {
                break;
            }
            let Some(skipped) = next.checked_sub(position) else {
                return Err(PayloadFault::Missing);
            };
            let Some(rest) = usize::try_from(skipped)
                .ok()
                .and_then(|skipped| bytes.get(skipped..))
                .filter(|rest| !rest.is_empty())
            else {
                return Err(PayloadFault::Missing);
            };
            let wanted = usize::try_from(end - next).unwrap_or(usize::MAX);
            let slice = &rest[..rest.len().min(wanted)];
            slices.push(slice);
            next += slice.len() as u64;
        }
        if next < end {
            return Err(PayloadFault::Missing);
        }
        Ok(slices)
    }
}

impl<'a> Payload<'a> {
    /// The bytes, in their order.
    #[must_use]
    pub fn slices(&self) -> &[&'a [u8]] {
        &self.slices
    }

    /// How many bytes there are.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.slices.iter().map(|slice| slice.len() as u64).sum()
    }

    /// All of them in memory.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.slices.concat()
    }
}

/// Of whole lines: blocks hold nothing else.
fn checksum(slices: &[&[u8]]) -> u64 {
    let mut checksum = Checksum::new();
    for slice in slices {
        for line in slice.chunks_exact(LINE) {
            let mut words = [0u64; LINE / 8];
            words.as_mut_bytes().copy_from_slice(line);
            checksum.line(&words);
        }
    }
    checksum.finish()
}
