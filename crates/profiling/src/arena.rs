//! The host's side of a lane's arena: which bytes the records of a buffer speak of, and whether what
//! was copied is what the device wrote.

use crate::{Findings, PayloadPlace};
use lanescope_abi::{ArenaMark, Checksum, LINE_BYTES};
use lanescope_capture::FindingKind;
use std::collections::VecDeque;
use zerocopy::IntoBytes;

/// Bytes of the two marks around a payload.
const MARK_BYTES: u64 = 2 * LINE_BYTES;

/// Most bytes of an arena that travel in one block.
pub(crate) const PIECE_BYTES: u64 = 256 << 10;

/// The payloads of one drained buffer, of which a part may have been copied.
///
/// The device takes room only where the host has given it back, so all that the records of one buffer
/// speak of lies within one arena behind what was given back before the buffer: more is not believed,
/// and so not copied either.
#[derive(Debug)]
pub(crate) struct Unpacking {
    entries: VecDeque<Entry>,
    /// What was copied of the first entry, and its checksum so far.
    copied_bytes: u64,
    checksum: Checksum,
    fault: Option<String>,
}

/// One payload with its marks.
#[derive(Clone, Copy, Debug)]
struct Entry {
    place: PayloadPlace,
    /// With marks and padding.
    bytes: u64,
}

/// A piece of the arena to be copied next, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) begin: u64,
    pub(crate) bytes: u64,
}

impl Unpacking {
    /// The payloads that lie behind `head` in an arena of this size; what cannot be is a finding.
    pub(crate) fn new(
        head: u64,
        arena_bytes: u64,
        places: impl Iterator<Item = PayloadPlace>,
        name: &str,
        findings: &mut Findings,
    ) -> Self {
        let mut entries = VecDeque::new();
        let mut taken = 0;
        for place in places {
            let from = place.begin.wrapping_sub(head);
            let bytes = (place.bytes.checked_next_multiple_of(LINE_BYTES))
                .and_then(|bytes| bytes.checked_add(MARK_BYTES));
            let end = bytes.and_then(|bytes| from.checked_add(bytes));
            match (bytes, end) {
                (Some(bytes), Some(end))
                    if from >= taken
                        && end <= arena_bytes
                        && place.begin.is_multiple_of(LINE_BYTES) =>
                {
                    taken = end;
                    entries.push_back(Entry { place, bytes });
                }
                _ => findings.add(FindingKind::Corruption, 1, || {
                    let PayloadPlace { begin, bytes, .. } = place;
                    format!(
                        "{name}: a payload of {bytes} bytes at position {begin} of an arena of \
                         {arena_bytes} bytes, expected one behind position {}",
                        head.wrapping_add(taken)
                    )
                }),
            }
        }
        Self {
            entries,
            copied_bytes: 0,
            checksum: Checksum::new(),
            fault: None,
        }
    }

    /// The next piece of at most `most_bytes`, whole lines; `None` when all is copied.
    pub(crate) fn next_piece(&self, most_bytes: u64) -> Option<Piece> {
        let first = self.entries.front()?;
        let begin = first.place.begin.wrapping_add(self.copied_bytes);
        let mut bytes = first.bytes - self.copied_bytes;
        for entry in self.entries.iter().skip(1) {
            if bytes >= most_bytes || entry.place.begin != begin.wrapping_add(bytes) {
                break;
            }
            bytes += entry.bytes;
        }
        Some(Piece {
            begin,
            bytes: bytes.min(most_bytes),
        })
    }

    /// Compares the lines of a piece with what the records say; `arena_tail` was read after they were
    /// copied.
    pub(crate) fn check(
        &mut self,
        piece: Piece,
        lines: &[u8],
        arena_bytes: u64,
        arena_tail: u64,
        name: &str,
        findings: &mut Findings,
    ) {
        let ahead = arena_tail.wrapping_sub(piece.begin);
        let fault = if ahead < piece.bytes {
            Some("the device says that it has not taken its room")
        } else if ahead > arena_bytes {
            Some("the device has gone on over it")
        } else {
            None
        };
        for line in lines.chunks_exact(size_of::<ArenaMark>()) {
            if let Some(fault) = fault {
                self.fault.get_or_insert_with(|| fault.to_owned());
            }
            self.check_line(line, name, findings);
        }
    }

    fn check_line(&mut self, line: &[u8], name: &str, findings: &mut Findings) {
        let Some(&Entry { place, bytes }) = self.entries.front() else {
            unreachable!("a piece holds lines of entries");
        };
        let mut words = [0u64; 8];
        words.as_mut_bytes().copy_from_slice(line);
        let opening = ArenaMark {
            sequence: place.sequence,
            payload_begin: place.begin,
            payload_bytes: place.bytes,
            ..ArenaMark::default()
        };
        let is_last = self.copied_bytes + LINE_BYTES == bytes;
        if self.copied_bytes == 0 {
            if line != opening.as_bytes() {
                self.blame("the mark before it is another's");
            }
        } else if !is_last {
            self.checksum.line(&words);
        } else {
            let closing = ArenaMark {
                checksum: place.checksum,
                ..opening
            };
            if line != closing.as_bytes() {
                self.blame("the mark behind it is another's");
            }
            if self.checksum.finish() != place.checksum {
                self.blame("its checksum is another");
            }
        }
        self.copied_bytes += LINE_BYTES;
        if is_last {
            self.finish_entry(&place, name, findings);
        }
    }

    fn blame(&mut self, fault: &str) {
        self.fault.get_or_insert_with(|| fault.to_owned());
    }

    fn finish_entry(&mut self, place: &PayloadPlace, name: &str, findings: &mut Findings) {
        if let Some(fault) = self.fault.take() {
            let PayloadPlace {
                begin,
                bytes,
                sequence,
                ..
            } = *place;
            findings.add(FindingKind::Overwritten, 1, || {
                format!(
                    "{name}: payload {sequence}, {bytes} bytes at position {begin}, is not what the \
                     device recorded: {fault}"
                )
            });
        }
        self.entries.pop_front();
        self.copied_bytes = 0;
        self.checksum = Checksum::new();
    }
}
