//! Where the bytes of tensors lie, and whether they can be believed.

use crate::{Payload, TensorRow};
use lanescope_abi::{ArenaMark, Checksum, LINE_BYTES};
use lanescope_capture::CaptureFile;
use std::collections::BTreeMap;
use std::sync::Arc;
use zerocopy::IntoBytes;

const LINE: usize = size_of::<ArenaMark>();

/// The payloads of a trace: pieces of arenas, by AICPU thread and position.
#[derive(Debug, Default)]
pub(crate) struct Payloads {
    file: Option<Arc<CaptureFile>>,
    pieces: BTreeMap<(u32, u64), Piece>,
}

/// Bytes of an arena.
#[derive(Debug)]
enum Piece {
    /// A payload without marks.
    Owned(Vec<u8>),
    /// Offset in the file and length; proved to lie in it when the capture was read.
    Mapped(usize, usize),
}

impl Payloads {
    /// Payloads in memory: thread, position of the first byte, bytes.
    pub(crate) fn owned(payloads: Vec<(u32, u64, Vec<u8>)>) -> Self {
        let pieces = payloads.into_iter();
        let pieces = pieces.map(|(thread, position, bytes)| {
            let piece = Piece::Owned(bytes);
            ((thread, position), piece)
        });
        Self {
            file: None,
            pieces: pieces.collect(),
        }
    }

    pub(crate) fn mapped(file: &Arc<CaptureFile>) -> Self {
        Self {
            file: Some(Arc::clone(file)),
            pieces: BTreeMap::new(),
        }
    }

    /// Adds bytes of the mapped file.
    pub(crate) fn add(&mut self, thread: u32, position: u64, offset: usize, bytes: usize) {
        let piece = Piece::Mapped(offset, bytes);
        self.pieces.insert((thread, position), piece);
    }

    /// The bytes of a row, when all of them are here and are those the device wrote: the marks
    /// before and behind them and their checksum say so.
    pub(crate) fn of(&self, row: &TensorRow) -> Option<Payload<'_>> {
        let begin = row.payload_begin.checked_add(LINE_BYTES)?;
        let end = begin.checked_add(row.payload_bytes)?;
        let payload = self.range(row.thread, begin, end)?;
        if self.file.is_some() {
            let behind =
                begin.checked_add(row.payload_bytes.checked_next_multiple_of(LINE_BYTES)?)?;
            let opening = ArenaMark {
                sequence: row.sequence,
                payload_begin: row.payload_begin,
                payload_bytes: row.payload_bytes,
                ..ArenaMark::default()
            };
            let closing = ArenaMark {
                checksum: row.checksum,
                ..opening
            };
            let marks = [(row.payload_begin, opening), (behind, closing)];
            for (position, mark) in marks {
                let found = self.range(row.thread, position, position.checked_add(LINE_BYTES)?)?;
                if found.concat() != mark.as_bytes() {
                    return None;
                }
            }
        }
        (checksum(&payload) == row.checksum).then_some(Payload::new(payload))
    }

    /// The bytes of an arena from one position to another; `None` when any is missing.
    fn range(&self, thread: u32, begin: u64, end: u64) -> Option<Vec<&[u8]>> {
        let mut found = Vec::new();
        let mut at = begin;
        while at < end {
            let (&(_, position), piece) =
                self.pieces.range((thread, 0)..=(thread, at)).next_back()?;
            let skipped = usize::try_from(at - position).ok()?;
            let rest = self.bytes(piece).get(skipped..)?;
            let wanted = usize::try_from(end - at).unwrap_or(usize::MAX);
            let part = &rest[..rest.len().min(wanted)];
            if part.is_empty() {
                return None;
            }
            found.push(part);
            at += part.len() as u64;
        }
        Some(found)
    }

    fn bytes<'a>(&'a self, piece: &'a Piece) -> &'a [u8] {
        match (piece, &self.file) {
            (Piece::Owned(bytes), _) => bytes,
            (&Piece::Mapped(offset, bytes), Some(file)) => &file.bytes()[offset..offset + bytes],
            (Piece::Mapped(..), None) => unreachable!("a mapped piece has its file"),
        }
    }
}

/// As the device computes it: padding to a whole line counts as zeros.
fn checksum(pieces: &[&[u8]]) -> u64 {
    let mut checksum = Checksum::new();
    let mut line = [0_u8; LINE];
    let mut filled = 0;
    for mut piece in pieces.iter().copied() {
        while !piece.is_empty() {
            let taken = piece.len().min(LINE - filled);
            line[filled..filled + taken].copy_from_slice(&piece[..taken]);
            (filled, piece) = (filled + taken, &piece[taken..]);
            if filled == LINE {
                checksum.line(&zerocopy::transmute!(line));
                filled = 0;
            }
        }
    }
    if filled > 0 {
        line[filled..].fill(0);
        checksum.line(&zerocopy::transmute!(line));
    }
    checksum.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_do_not_change_the_checksum() {
        let bytes: Vec<u8> = (0..200).collect();
        for size in [1, 7, 64, 65, 199, 200] {
            let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
            assert_eq!(checksum(&pieces), Checksum::of(&bytes), "{size}");
        }
    }

    #[test]
    fn bytes_that_are_missing_or_other_are_no_payload() {
        let bytes: Vec<u8> = (0..100).collect();
        let row = TensorRow {
            payload_begin: 1000,
            payload_bytes: 100,
            checksum: Checksum::of(&bytes),
            ..TensorRow::default()
        };
        let of = |payloads| {
            let payloads = Payloads::owned(payloads);
            payloads.of(&row).map(|payload| payload.to_vec())
        };
        let (head, tail) = bytes.split_at(40);
        let whole = of(vec![(0, 1064, head.to_vec()), (0, 1104, tail.to_vec())]);
        assert_eq!(whole, Some(bytes.clone()));
        assert_eq!(of(vec![(0, 1064, head.to_vec())]), None);
        assert_eq!(of(vec![(1, 1064, bytes.clone())]), None);
        assert_eq!(of(vec![(0, 1065, bytes.clone())]), None);
        let mut other = bytes;
        other[99] ^= 1;
        assert_eq!(of(vec![(0, 1064, other)]), None);
    }
}
