//! A file system that takes less than it is given: nothing is lost without an error.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lanescope_abi::{Kind, TaskRecord};
use lanescope_capture::{Capture, CaptureError, CaptureWriter, LaneInfo, RecordBlock, SessionInfo};
use lanescope_stress::Aligned;
use std::io::{self, ErrorKind, Write};
use zerocopy::IntoBytes;

/// Takes 1, 2, 3 … bytes a call and is interrupted in between, until it is full.
struct Reluctant {
    bytes: Vec<u8>,
    calls: usize,
    room: usize,
}

impl Write for Reluctant {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.calls += 1;
        if self.calls.is_multiple_of(3) {
            return Err(ErrorKind::Interrupted.into());
        }
        let taken = bytes.len().min(self.calls).min(self.room);
        if taken == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        self.room -= taken;
        self.bytes.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_sample<W: Write>(to: W) -> Result<W, CaptureError> {
    let mut writer = CaptureWriter::new(to)?;
    writer.session(&SessionInfo {
        run_id: 1,
        lanes: vec![LaneInfo {
            kind: Kind::TASK,
            thread: 0,
            buffers: 4,
            records_per_buffer: 16,
            record_bytes: 64,
            arena_bytes: 0,
            policy: lanescope_abi::capture::Policy::Block,
        }],
        ..SessionInfo::default()
    })?;
    for sequence in 0..3 {
        let records: [TaskRecord; 5] = std::array::from_fn(|index| TaskRecord {
            task_id: sequence * 5 + index as u64,
            run_id: 1,
            token: 16,
            ..TaskRecord::default()
        });
        writer.records(&RecordBlock {
            kind: Kind::TASK,
            lane: 0,
            run_id: 1,
            sequence,
            record_bytes: TaskRecord::BYTES,
            bytes: records.as_bytes(),
            checksum: RecordBlock::checksum(records.as_bytes()),
        })?;
    }
    writer.end_run(1)?;
    writer.into_inner()
}

fn reluctant(room: usize) -> Reluctant {
    Reluctant {
        bytes: Vec::new(),
        calls: 0,
        room,
    }
}

#[test]
fn short_and_interrupted_writes_lose_nothing() {
    let whole = write_sample(Vec::new()).unwrap();
    let slow = write_sample(reluctant(usize::MAX)).unwrap();
    assert_eq!(slow.bytes, whole);
    let aligned = Aligned::new(&slow.bytes);
    let capture = Capture::from_bytes(aligned.bytes()).unwrap();
    let run = capture.run(1).unwrap().unwrap();
    let ids: Vec<u64> = run
        .task_records()
        .flatten()
        .map(|record| record.task_id)
        .collect();
    assert_eq!(ids, (0..15).collect::<Vec<_>>());
}

#[test]
fn a_disk_that_fills_up_at_any_byte_is_an_error() {
    let whole = write_sample(Vec::new()).unwrap();
    for room in 0..whole.len() {
        let refused = write_sample(reluctant(room)).err();
        assert!(
            matches!(refused, Some(CaptureError::Write { .. })),
            "{room} of {} bytes: {refused:?}",
            whole.len()
        );
    }
}
