//! A capture is written, and read back whole, cut and damaged.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lanescope_abi::{Kind, TaskRecord};
use lanescope_capture::format::BLOCK_ALIGN;
use lanescope_capture::{
    Capture, CaptureError, CaptureFile, CaptureWriter, Clock, Edge, FindingKind, FunctionName,
    LaneInfo, Outcome, RecordBlock, SessionInfo, Verdict,
};
use proptest::prelude::*;
use std::io::{self, Write};
use zerocopy::IntoBytes;

fn records(lane: u32, sequence: u64, count: u32) -> Vec<TaskRecord> {
    (0..count)
        .map(|index| TaskRecord {
            task_id: sequence * 100 + u64::from(index),
            core: u16::try_from(lane).unwrap(),
            token: 16 + index,
            run_id: 1,
            ..TaskRecord::default()
        })
        .collect()
}

fn put_records<W: Write>(
    writer: &mut CaptureWriter<W>,
    lane: u32,
    sequence: u64,
    count: u32,
) -> Result<(), CaptureError> {
    let records = records(lane, sequence, count);
    writer.records(&RecordBlock {
        kind: Kind::TASK,
        lane,
        run_id: 1,
        sequence,
        record_bytes: TaskRecord::BYTES,
        bytes: records.as_bytes(),
        checksum: RecordBlock::checksum(records.as_bytes()),
    })
}

fn session() -> SessionInfo {
    SessionInfo {
        run_id: 1,
        workload: "vector".to_owned(),
        lanes: vec![LaneInfo {
            kind: Kind::TASK,
            thread: 0,
            buffers: 4,
            records_per_buffer: 16,
            record_bytes: 64,
            arena_bytes: 0,
            policy: lanescope_abi::capture::Policy::Block,
        }],
        task_count: Some(7),
        settings: vec![("late-host".to_owned(), "50".to_owned())],
        ..SessionInfo::default()
    }
}

fn write_sample<W: Write>(inner: W) -> Result<W, CaptureError> {
    let mut writer = CaptureWriter::new(inner)?;
    writer.session(&session())?;
    writer.functions(
        1,
        &[FunctionName {
            func_id: 3,
            name: "add".to_owned(),
        }],
    )?;
    writer.edges(
        1,
        &[Edge {
            producer: 0,
            consumer: 1,
        }],
    )?;
    writer.task_ids(1, &[40, 41])?;
    put_records(&mut writer, 0, 0, 2)?;
    put_records(&mut writer, 1, 0, 1)?;
    put_records(&mut writer, 0, 1, 3)?;
    writer.clocks(1, &[Clock::default()])?;
    let mut verdict = Verdict::new(1);
    verdict.find(FindingKind::Dropped, 2, "two");
    writer.verdict(&verdict)?;
    writer.end_run(1)?;
    writer.into_inner()
}

/// Bytes that begin at a multiple of 8, as a mapped file does.
struct Aligned {
    words: Vec<u64>,
    length: usize,
}

impl Aligned {
    fn new(bytes: &[u8]) -> Self {
        let mut words = vec![0; bytes.len().div_ceil(8)];
        words.as_mut_slice().as_mut_bytes()[..bytes.len()].copy_from_slice(bytes);
        Self {
            words,
            length: bytes.len(),
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.words.as_slice().as_bytes()[..self.length]
    }
}

#[test]
fn everything_written_is_read() {
    let bytes = Aligned::new(&write_sample(Vec::new()).unwrap());
    let capture = Capture::from_bytes(bytes.bytes()).unwrap();
    assert_eq!(capture.damage(), []);
    assert_eq!(capture.run_ids(), [1]);
    let run = capture.run(1).unwrap().unwrap();
    assert_eq!(*run.session(), session());
    assert_eq!(run.functions()[0].name, "add");
    assert_eq!(run.edges().flatten().count(), 1);
    assert_eq!(
        run.task_ids().flatten().copied().collect::<Vec<_>>(),
        [40, 41]
    );
    let task_ids: Vec<u64> = run
        .task_records()
        .flatten()
        .map(|record| record.task_id)
        .collect();
    assert_eq!(task_ids, [0, 1, 0, 100, 101, 102]);
    let of_lane: Vec<(u32, u64)> = run
        .record_blocks(Kind::TASK)
        .map(|block| (block.header.lane, block.header.sequence))
        .collect();
    assert_eq!(of_lane, [(0, 0), (1, 0), (0, 1)]);
    assert_eq!(run.clocks().flatten().count(), 1);
    let verdict = run.verdict().unwrap();
    assert_eq!(verdict.outcome, Outcome::Lossy);
    assert_eq!(verdict.exit_code(), 1);
    assert!(run.is_ended());
    assert!(capture.run(2).unwrap().is_none());
}

#[test]
fn a_cut_at_any_byte_leaves_the_whole_blocks() {
    let whole = write_sample(Vec::new()).unwrap();
    let aligned = Aligned::new(&whole);
    let intact = Capture::from_bytes(aligned.bytes()).unwrap();
    // Where each block ends; a block behind the cut is gone, one before it is there.
    let ends: Vec<u64> = intact
        .blocks()
        .iter()
        .skip(1)
        .map(|block| block.offset)
        .chain([whole.len() as u64])
        .collect();
    for cut in 0..whole.len() {
        let aligned = Aligned::new(&whole[..cut]);
        let result = Capture::from_bytes(aligned.bytes());
        if cut < 64 {
            assert!(matches!(result, Err(CaptureError::NotACapture { .. })));
            continue;
        }
        let capture = result.unwrap();
        let left = ends.iter().filter(|&&end| end <= cut as u64).count();
        assert_eq!(capture.blocks().len(), left, "cut at {cut}");
        let begin = if left == 0 { 64 } else { ends[left - 1] };
        assert_eq!(capture.ignored_bytes(), cut as u64 - begin, "cut at {cut}");
        assert_eq!(capture.damage().is_empty(), begin == cut as u64);
        for run in capture.runs().unwrap() {
            assert!(!run.is_ended());
        }
    }
}

#[test]
fn a_changed_byte_is_never_believed() {
    let whole = write_sample(Vec::new()).unwrap();
    let aligned = Aligned::new(&whole);
    let intact = Capture::from_bytes(aligned.bytes()).unwrap();
    let is_padding = |at: usize| {
        intact.blocks().iter().any(|block| {
            let end = block.offset + 64 + block.header.payload_bytes;
            let padded = end.next_multiple_of(BLOCK_ALIGN);
            (end..padded).contains(&(at as u64))
        })
    };
    for at in (0..whole.len()).filter(|&at| !is_padding(at)) {
        let mut changed = whole.clone();
        changed[at] ^= 0x40;
        let aligned = Aligned::new(&changed);
        let Ok(capture) = Capture::from_bytes(aligned.bytes()) else {
            assert!(at < 64);
            continue;
        };
        assert!(!capture.damage().is_empty(), "byte {at}");
        for block in capture.blocks() {
            let as_written = intact
                .blocks()
                .iter()
                .find(|written| written.offset == block.offset)
                .unwrap();
            assert_eq!(block.payload, as_written.payload);
        }
        if let Some(run) = capture.run(1).unwrap() {
            assert!(!run.is_ended());
        }
    }
}

#[test]
fn damage_to_a_payload_costs_that_block_alone() {
    let mut bytes = write_sample(Vec::new()).unwrap();
    let aligned = Aligned::new(&bytes);
    let block = Capture::from_bytes(aligned.bytes()).unwrap().blocks()[4];
    bytes[usize::try_from(block.offset).unwrap() + 64] ^= 1;
    let aligned = Aligned::new(&bytes);
    let capture = Capture::from_bytes(aligned.bytes()).unwrap();
    assert_eq!(capture.damage().len(), 1);
    assert_eq!(capture.damage()[0].offset, block.offset);
    let run = capture.run(1).unwrap().unwrap();
    assert_eq!(run.task_records().flatten().count(), 4);
    assert!(run.verdict().is_some());
    assert!(!run.is_ended(), "the end-of-run block counts what is gone");
}

/// Takes so many bytes and then fails, as a full disk does.
struct Full {
    taken: Vec<u8>,
    room: usize,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.room);
        if taken == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.taken.extend_from_slice(&bytes[..taken]);
        self.room -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_failed_write_is_an_error_and_ends_the_file() {
    let whole = write_sample(Vec::new()).unwrap().len();
    for room in 0..whole {
        let mut full = Full {
            taken: Vec::new(),
            room,
        };
        let error = match CaptureWriter::new(&mut full) {
            Ok(mut writer) => {
                let error = write_into(&mut writer).unwrap_err();
                assert!(writer.is_failed());
                let after = writer.clocks(1, &[Clock::default()]);
                assert!(matches!(after, Err(CaptureError::WriterFailed)));
                error
            }
            Err(error) => error,
        };
        assert!(matches!(error, CaptureError::Write { .. }), "{error:?}");
        assert_eq!(full.taken.len(), room);
    }
}

fn write_into<W: Write>(writer: &mut CaptureWriter<W>) -> Result<(), CaptureError> {
    writer.session(&session())?;
    for sequence in 0..20 {
        put_records(writer, 0, sequence, 3)?;
    }
    writer.end_run(1)
}

#[test]
fn a_file_is_mapped_and_read() {
    let path = std::env::temp_dir().join(format!("capture-{}.lanescope", std::process::id()));
    let writer = CaptureWriter::create(&path).unwrap();
    drop(writer);
    std::fs::write(&path, write_sample(Vec::new()).unwrap()).unwrap();
    let file = CaptureFile::open(&path).unwrap();
    assert!(file.read().unwrap().run(1).unwrap().unwrap().is_ended());
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(
        CaptureFile::open(&path),
        Err(CaptureError::Open { .. })
    ));
}

#[test]
fn blocks_that_break_the_format_are_refused() {
    let mut writer = CaptureWriter::new(Vec::new()).unwrap();
    let no_run = writer.session(&SessionInfo::default());
    assert!(matches!(no_run, Err(CaptureError::BadBlock { .. })));
    let half = writer.records(&RecordBlock {
        kind: Kind::TASK,
        lane: 0,
        run_id: 1,
        sequence: 0,
        record_bytes: TaskRecord::BYTES,
        bytes: &[0; 65],
        checksum: 0,
    });
    assert!(matches!(half, Err(CaptureError::BadBlock { .. })));
}

#[test]
fn a_verdict_survives_json() {
    let mut verdict = Verdict::new(9);
    verdict.find(FindingKind::NotEnded, 0, "the device process ended");
    assert_eq!(verdict.exit_code(), 2);
    let back: Verdict = serde_json::from_str(&verdict.to_json()).unwrap();
    assert_eq!(back, verdict);
    assert_eq!(Verdict::new(1).exit_code(), 0);
}

lanescope_stress::properties! {
    256 cases;

    #[test]
    fn hostile_bytes_are_never_a_panic(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..2000),
        is_ours in any::<bool>(),
    ) {
        if is_ours {
            let header = CaptureWriter::new(Vec::new()).unwrap().into_inner().unwrap();
            let length = header.len().min(bytes.len());
            bytes[..length].copy_from_slice(&header[..length]);
        }
        let aligned = Aligned::new(&bytes);
        if let Ok(capture) = Capture::from_bytes(aligned.bytes()) {
            prop_assert_eq!(64 + capture.ignored_bytes(), bytes.len() as u64);
        }
    }

    #[test]
    fn records_come_back_as_they_were_written(
        counts in proptest::collection::vec((0u32..4, 1u32..40), 0..30),
    ) {
        let mut writer = CaptureWriter::new(Vec::new()).unwrap();
        writer.session(&session()).unwrap();
        let mut written = Vec::new();
        for (sequence, &(lane, count)) in (0..).zip(&counts) {
            put_records(&mut writer, lane, sequence, count).unwrap();
            written.extend(records(lane, sequence, count));
        }
        writer.end_run(1).unwrap();
        let aligned = Aligned::new(&writer.into_inner().unwrap());
        let capture = Capture::from_bytes(aligned.bytes()).unwrap();
        let run = capture.run(1).unwrap().unwrap();
        prop_assert!(run.is_ended());
        prop_assert_eq!(run.task_records().flatten().copied().collect::<Vec<_>>(), written);
    }
}
