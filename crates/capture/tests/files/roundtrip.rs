//! Arbitrary runs are written and come back as they were, also from a file that was cut at any byte.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lanescope_abi::Kind;
use lanescope_capture::{
    Block, BlockKind, Capture, CaptureError, CaptureRun, CaptureWriter, Clock, Edge, FindingKind,
    FunctionName, PayloadBlock, RecordBlock, SessionInfo, Verdict,
};
use lanescope_stress::{Effort, Tried, property};
use proptest::prelude::*;
use zerocopy::IntoBytes;

/// Files of each seed.
const CASES: u32 = 8;
const FILE_HEADER_BYTES: u64 = 64;

/// Something that is written into a run.
#[derive(Clone, Debug)]
enum Part {
    Functions(Vec<FunctionName>),
    Edges(Vec<Edge>),
    TaskIds(Vec<u64>),
    Clocks(Vec<Clock>),
    Records(Kind, u32, Vec<u8>),
    Payload(u32, Vec<u8>),
}

/// How far a run gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Close {
    BreaksOff,
    Judged,
    Ended,
}

#[derive(Clone, Debug)]
struct Run {
    workload: String,
    parts: Vec<Part>,
    close: Close,
}

fn part() -> impl Strategy<Value = Part> {
    let name = (any::<u32>(), ".{0,9}").prop_map(|(func_id, name)| FunctionName { func_id, name });
    let edge =
        (any::<u32>(), any::<u32>()).prop_map(|(producer, consumer)| Edge { producer, consumer });
    let clock = any::<[u64; 3]>().prop_map(|[host_ns, device_ticks, uncertainty_ns]| Clock {
        host_ns,
        device_ticks,
        uncertainty_ns,
        reserved: 0,
    });
    let records = (prop::sample::select(Kind::ALL.to_vec()), 0u32..5, 1usize..6).prop_flat_map(
        |(kind, lane, count)| {
            let bytes = count * kind.record_bytes().unwrap() as usize;
            let bytes = prop::collection::vec(any::<u8>(), bytes);
            bytes.prop_map(move |bytes| Part::Records(kind, lane, bytes))
        },
    );
    let payload = (0u32..5, 2usize..5).prop_flat_map(|(lane, lines)| {
        let bytes = prop::collection::vec(any::<u8>(), lines * 64);
        bytes.prop_map(move |bytes| Part::Payload(lane, bytes))
    });
    prop_oneof![
        1 => prop::collection::vec(name, 0..3).prop_map(Part::Functions),
        1 => prop::collection::vec(edge, 1..6).prop_map(Part::Edges),
        1 => prop::collection::vec(any::<u64>(), 1..6).prop_map(Part::TaskIds),
        1 => prop::collection::vec(clock, 1..3).prop_map(Part::Clocks),
        4 => records,
        2 => payload,
    ]
}

fn runs() -> impl Strategy<Value = Vec<Run>> {
    let close = prop::sample::select(vec![Close::BreaksOff, Close::Judged, Close::Ended]);
    let run = (".{0,12}", prop::collection::vec(part(), 0..6), close).prop_map(
        |(workload, parts, close)| Run {
            workload,
            parts,
            close,
        },
    );
    prop::collection::vec(run, 1..4)
}

/// A file, and what is in it up to the end of each of its blocks.
struct Written {
    words: Vec<u64>,
    bytes: usize,
    /// Where each block ends.
    ends: Vec<u64>,
    runs: Vec<RunWritten>,
}

/// A run, with the number of blocks in the file once each part of it was written.
struct RunWritten {
    session: SessionInfo,
    blocks_with_session: usize,
    parts: Vec<(usize, Part)>,
    verdict: Option<(usize, Verdict)>,
    blocks_with_end: Option<usize>,
}

impl Written {
    fn new(runs: &[Run]) -> Self {
        let mut writer = CaptureWriter::new(Vec::new()).unwrap();
        let mut ends = Vec::new();
        let mut written = Vec::new();
        for (run_id, run) in (1..).zip(runs) {
            written.push(write_run(&mut writer, &mut ends, run_id, run));
        }
        let file = writer.into_inner().unwrap();
        // As a mapped file does, the bytes begin at a multiple of 8.
        let mut words = vec![0; file.len().div_ceil(8)];
        words.as_mut_slice().as_mut_bytes()[..file.len()].copy_from_slice(&file);
        Self {
            words,
            bytes: file.len(),
            ends,
            runs: written,
        }
    }

    fn cut(&self, bytes: usize) -> &[u8] {
        &self.words.as_bytes()[..bytes]
    }
}

fn write_run(
    writer: &mut CaptureWriter<Vec<u8>>,
    ends: &mut Vec<u64>,
    run_id: u32,
    run: &Run,
) -> RunWritten {
    let session = SessionInfo {
        run_id,
        workload: run.workload.clone(),
        ..SessionInfo::default()
    };
    let mut note = |writer: &CaptureWriter<Vec<u8>>| {
        ends.push(writer.written_bytes());
        ends.len()
    };
    writer.session(&session).unwrap();
    let mut written = RunWritten {
        session,
        blocks_with_session: note(writer),
        parts: Vec::new(),
        verdict: None,
        blocks_with_end: None,
    };
    for (sequence, part) in (0..).zip(&run.parts) {
        match part {
            Part::Functions(functions) => writer.functions(run_id, functions),
            Part::Edges(edges) => writer.edges(run_id, edges),
            Part::TaskIds(ids) => writer.task_ids(run_id, ids),
            Part::Clocks(clocks) => writer.clocks(run_id, clocks),
            Part::Records(kind, lane, bytes) => writer.records(&RecordBlock {
                kind: *kind,
                lane: *lane,
                run_id,
                sequence,
                record_bytes: kind.record_bytes().unwrap(),
                bytes,
                checksum: RecordBlock::checksum(bytes),
            }),
            Part::Payload(lane, bytes) => writer.payload(&PayloadBlock {
                lane: *lane,
                run_id,
                sequence,
                bytes,
                checksum: RecordBlock::checksum(bytes),
            }),
        }
        .unwrap();
        written.parts.push((note(writer), part.clone()));
    }
    if run.close != Close::BreaksOff {
        let mut verdict = Verdict::new(run_id);
        verdict.find(FindingKind::Dropped, 3, run.workload.clone());
        writer.verdict(&verdict).unwrap();
        written.verdict = Some((note(writer), verdict));
    }
    if run.close == Close::Ended {
        writer.end_run(run_id).unwrap();
        written.blocks_with_end = Some(note(writer));
    }
    written
}

#[test]
fn arbitrary_runs_come_back_also_from_a_file_cut_at_any_byte() {
    let effort = Effort::new(
        "arbitrary_runs_come_back_also_from_a_file_cut_at_any_byte",
        6,
    );
    while let Some(seed) = effort.next_seed() {
        let ran = property(seed, CASES).run(&runs(), |runs| {
            let written = Written::new(&runs);
            for bytes in 0..=written.bytes {
                check_cut(&written, bytes);
            }
            effort.add(Tried::Bytes, written.bytes as u64);
            Ok(())
        });
        ran.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
    }
}

fn check_cut(written: &Written, bytes: usize) {
    let capture = match Capture::from_bytes(written.cut(bytes)) {
        Ok(capture) => capture,
        Err(error) => {
            assert!(
                (bytes as u64) < FILE_HEADER_BYTES,
                "cut at {bytes}: {error}"
            );
            return assert!(matches!(error, CaptureError::NotACapture { .. }));
        }
    };
    let mut whole = written.ends.iter().filter(|&&end| end <= bytes as u64);
    let blocks = whole.clone().count();
    let end = whole.next_back().copied().unwrap_or(FILE_HEADER_BYTES);
    assert_eq!(capture.blocks().len(), blocks, "cut at {bytes}");
    assert_eq!(
        capture.ignored_bytes(),
        bytes as u64 - end,
        "cut at {bytes}"
    );
    assert_eq!(capture.damage().len(), usize::from(end != bytes as u64));
    if end == bytes as u64 {
        let begun = written
            .runs
            .iter()
            .filter(|run| run.blocks_with_session <= blocks);
        let read = capture.runs().unwrap();
        assert_eq!(read.len(), begun.clone().count());
        for (run, expected) in read.iter().zip(begun) {
            check_run(run, expected, blocks);
        }
    }
}

/// A run is there as far as the first `blocks` blocks of the file tell of it.
fn check_run(run: &CaptureRun<'_>, expected: &RunWritten, blocks: usize) {
    assert_eq!(*run.session(), expected.session);
    let verdict = expected
        .verdict
        .as_ref()
        .filter(|(needed, _)| *needed <= blocks);
    assert_eq!(run.verdict(), verdict.map(|(_, verdict)| verdict));
    let is_ended = expected
        .blocks_with_end
        .is_some_and(|needed| needed <= blocks);
    assert_eq!(run.is_ended(), is_ended);
    let mut functions = Vec::new();
    let mut edges = Vec::new();
    let mut ids = Vec::new();
    let mut clocks = Vec::new();
    let mut records = Vec::new();
    let mut payloads = Vec::new();
    for (_, part) in expected
        .parts
        .iter()
        .filter(|(needed, _)| *needed <= blocks)
    {
        match part.clone() {
            Part::Functions(part) => functions.extend(part),
            Part::Edges(part) => edges.extend(part),
            Part::TaskIds(part) => ids.extend(part),
            Part::Clocks(part) => clocks.extend(part),
            Part::Records(kind, lane, bytes) => records.push((kind, lane, bytes)),
            Part::Payload(lane, bytes) => payloads.push((lane, bytes)),
        }
    }
    assert_eq!(run.functions(), functions);
    assert_eq!(run.edges().flatten().copied().collect::<Vec<_>>(), edges);
    assert_eq!(run.task_ids().flatten().copied().collect::<Vec<_>>(), ids);
    assert_eq!(run.clocks().flatten().copied().collect::<Vec<_>>(), clocks);
    let is_payload = |block: &&Block<'_>| block.kind() == BlockKind::Payload;
    let read: Vec<(u32, Vec<u8>)> = (run.blocks().iter().filter(is_payload))
        .map(|block| (block.header.lane, block.payload.to_vec()))
        .collect();
    assert_eq!(read, payloads);
    for kind in Kind::ALL {
        let read: Vec<(Kind, u32, Vec<u8>)> = run
            .record_blocks(kind)
            .map(|block| (kind, block.header.lane, block.payload.to_vec()))
            .collect();
        let expected = records.iter().filter(|(of, ..)| *of == kind).cloned();
        assert_eq!(read, expected.collect::<Vec<_>>());
    }
}

#[test]
fn a_payload_is_a_header_and_whole_lines() {
    let mut writer = CaptureWriter::new(Vec::new()).unwrap();
    for length in [0, 64, 127, 200] {
        let bytes = vec![0; length];
        let block = PayloadBlock {
            lane: 0,
            run_id: 1,
            sequence: 0,
            bytes: &bytes,
            checksum: RecordBlock::checksum(&bytes),
        };
        let refused = writer.payload(&block).expect_err("refused").to_string();
        assert!(refused.contains("no header and whole lines"), "{refused}");
    }
}
