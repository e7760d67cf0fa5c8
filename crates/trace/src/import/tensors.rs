//! The tensors of an imported dump: their bytes become an arena of the capture.

use super::draft::{DraftCore, RUN_ID};
use super::edges::WriteError;
use super::finish::Lane;
use super::rows::Dumped;
use crate::sorter::Rows;
use lanescope_abi::{ArenaMark, Checksum, CoreType, LINE_BYTES, TensorRecord};
use lanescope_capture::{CaptureWriter, PayloadBlock, PayloadHeader, RecordBlock};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use zerocopy::IntoBytes;

/// Bytes of the payload file that are read at once; whole lines.
const PIECE_BYTES: usize = 4 << 20;
const LINE: usize = size_of::<ArenaMark>();

/// Makes the cores that subtasks 0, 1 and 2 stand for, where there are none.
pub(super) fn admit(cores: &mut Vec<DraftCore>) {
    let core = |core_type| DraftCore {
        core_type: Some(core_type),
        ..DraftCore::default()
    };
    if !cores.iter().any(is_cube) {
        cores.push(core(CoreType::Aic));
    }
    while core_of(cores, 1).is_none() || core_of(cores, 2).is_none() {
        cores.push(core(CoreType::Aiv));
    }
}

fn is_cube(core: &DraftCore) -> bool {
    core.core_type == Some(CoreType::Aic)
}

/// The first core that a subtask number can mean: behind the cube cores come pairs of vector cores.
fn core_of(cores: &[DraftCore], subtask: u16) -> Option<u16> {
    let cubes = cores.iter().filter(|core| is_cube(core)).count();
    let mut numbered = cores.iter().enumerate();
    let found = match subtask {
        0 => numbered.find(|(_, core)| is_cube(core)),
        _ => numbered.find(|(place, core)| {
            let vector = place.saturating_sub(cubes);
            !is_cube(core) && vector % 2 == usize::from(subtask - 1) % 2
        }),
    };
    found.and_then(|(place, _)| u16::try_from(place).ok())
}

/// Writes records and payload. A record's core is its subtask number until here.
pub(super) fn write(
    rows: &mut Rows<Dumped>,
    payload: Option<&File>,
    cores: &[DraftCore],
    lane: &mut Lane<TensorRecord>,
    writer: &mut CaptureWriter<impl Write>,
) -> Result<(), WriteError> {
    let mut arena = Arena::default();
    let mut sequence = 0;
    while let Some(row) = rows.next()? {
        let mut record = row.record;
        record.core = core_of(cores, record.core).unwrap_or(0);
        record.run_id = RUN_ID;
        record.sequence = sequence;
        record.payload_begin = arena.end;
        sequence += 1;
        if let Some(file) = payload.filter(|_| row.has_payload != 0) {
            arena.add(file, row.begin, &mut record, lane.number(), writer)?;
        }
        lane.push(record, writer)?;
    }
    Ok(())
}

#[derive(Default)]
struct Arena {
    end: u64,
    blocks: u64,
    piece: Vec<u8>,
}

impl Arena {
    /// Copies a tensor between two marks, as a device would have written it.
    fn add(
        &mut self,
        file: &File,
        begin: u64,
        record: &mut TensorRecord,
        lane: u32,
        writer: &mut CaptureWriter<impl Write>,
    ) -> Result<(), WriteError> {
        let opening = ArenaMark {
            sequence: record.sequence,
            payload_begin: record.payload_begin,
            payload_bytes: record.payload_bytes,
            ..ArenaMark::default()
        };
        let mut checksum = Checksum::new();
        self.open();
        self.piece.extend_from_slice(opening.as_bytes());
        let (mut at, mut left) = (begin, record.payload_bytes);
        while left > 0 {
            let taken = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES);
            let padded = taken.next_multiple_of(LINE);
            let from = self.piece.len();
            self.piece.resize(from + padded, 0);
            file.read_exact_at(&mut self.piece[from..from + taken], at)?;
            for line in self.piece[from..].as_chunks::<LINE>().0 {
                checksum.line(&zerocopy::transmute!(*line));
            }
            at += taken as u64;
            left -= taken as u64;
            if left > 0 {
                self.close(lane, writer)?;
                self.open();
            }
        }
        record.checksum = checksum.finish();
        let closing = ArenaMark {
            checksum: record.checksum,
            ..opening
        };
        self.piece.extend_from_slice(closing.as_bytes());
        self.close(lane, writer)
    }

    fn open(&mut self) {
        let header = PayloadHeader {
            position: self.end,
            ..PayloadHeader::default()
        };
        self.piece.clear();
        self.piece.extend_from_slice(header.as_bytes());
    }

    fn close(
        &mut self,
        lane: u32,
        writer: &mut CaptureWriter<impl Write>,
    ) -> Result<(), WriteError> {
        writer.payload(&PayloadBlock {
            lane,
            run_id: RUN_ID,
            sequence: self.blocks,
            checksum: RecordBlock::checksum(&self.piece),
            bytes: &self.piece,
        })?;
        self.blocks += 1;
        self.end += self.piece.len() as u64 - LINE_BYTES;
        Ok(())
    }
}
