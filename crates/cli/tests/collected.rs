//! What the command makes of counters and tensors in a capture; none of it needs a build folder.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use lanescope_abi::record::Record;
use lanescope_abi::{
    ArenaMark, Checksum, CoreType, Dtype, Kind, PmuRecord, TensorRecord, TensorShape,
};
use lanescope_capture::{
    CAPTURE_FILE_NAME, CaptureWriter, LaneInfo, PayloadBlock, PayloadHeader, RecordBlock,
    SessionInfo, Verdict,
};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use zerocopy::IntoBytes;

/// A folder that is removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("lanescope-collected-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn lanescope(folder: &Folder, words: &[&str]) -> (i32, String) {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_lanescope"))
        .current_dir(&folder.0)
        .args(words)
        .output()
        .unwrap();
    let text = if output.stdout.is_empty() {
        output.stderr
    } else {
        output.stdout
    };
    (
        output.status.code().unwrap(),
        String::from_utf8(text).unwrap(),
    )
}

/// A tensor of a task: its id, when it was read, and its elements.
type Given = (u64, u64, [f32; 6]);

/// A run with a counter row and these tensors, in a folder of this name.
fn write_run(folder: &Folder, name: &str, tensors: &[Given], lose: Option<u64>) {
    let folder = folder.0.join(name);
    fs::create_dir_all(&folder).unwrap();
    let file = File::create(folder.join(CAPTURE_FILE_NAME)).unwrap();
    let mut writer = CaptureWriter::new(file).unwrap();
    let lane = |kind: Kind| LaneInfo {
        kind,
        thread: 0,
        buffers: 4,
        records_per_buffer: 64,
        record_bytes: kind.record_bytes().unwrap(),
        arena_bytes: 1 << 20,
        policy: lanescope_abi::capture::Policy::Block,
    };
    let session = SessionInfo {
        run_id: 1,
        platform: "a2a3sim".to_owned(),
        core_types: vec![CoreType::Aiv],
        thread_count: 1,
        pmu_event: 6,
        lanes: vec![lane(Kind::PMU), lane(Kind::TENSOR)],
        ..SessionInfo::default()
    };
    writer.session(&session).unwrap();
    let counted = PmuRecord {
        task_id: 7,
        total_cycles: 500,
        counters: [1, 2, 3, 4, 0, 0, 0, 0, 0, 0],
        event: 6,
        ticks: 3,
        run_id: 1,
        ..PmuRecord::default()
    };
    records(&mut writer, 0, &[counted]);
    let mut rows = Vec::new();
    for (sequence, &(task_id, ticks, elements)) in (0..).zip(tensors) {
        let record = tensor(task_id, ticks, sequence, &elements);
        if lose != Some(task_id) {
            payload(&mut writer, &record, elements.as_bytes());
        }
        rows.push(record);
    }
    records(&mut writer, 1, &rows);
    let mut verdict = Verdict::new(1);
    verdict.totals.total = 1 + rows.len() as u64;
    verdict.totals.collected = verdict.totals.total;
    writer.verdict(&verdict).unwrap();
    writer.end_run(1).unwrap();
}

fn tensor(task_id: u64, ticks: u64, sequence: u64, elements: &[f32; 6]) -> TensorRecord {
    TensorRecord {
        task_id,
        run_id: 1,
        tensor: TensorShape {
            role: 1,
            dtype: Dtype::Float32 as u8,
            rank: 2,
            shape: [2, 3, 0, 0, 0],
            raw_shape: [2, 3, 0, 0, 0],
            strides: [3, 1, 0, 0, 0],
            ..TensorShape::default()
        },
        stage: 1,
        payload_begin: sequence * 192,
        payload_bytes: 24,
        tensor_bytes: 24,
        sequence,
        checksum: Checksum::of(elements.as_bytes()),
        ticks,
        ..TensorRecord::default()
    }
}

fn payload(writer: &mut CaptureWriter<File>, record: &TensorRecord, bytes: &[u8]) {
    let header = PayloadHeader {
        position: record.payload_begin,
        ..PayloadHeader::default()
    };
    let opening = ArenaMark {
        sequence: record.sequence,
        payload_begin: record.payload_begin,
        payload_bytes: record.payload_bytes,
        ..ArenaMark::default()
    };
    let closing = ArenaMark {
        checksum: record.checksum,
        ..opening
    };
    let mut line = [0; 64];
    line[..bytes.len()].copy_from_slice(bytes);
    let parts = [
        header.as_bytes(),
        opening.as_bytes(),
        &line,
        closing.as_bytes(),
    ];
    let bytes = parts.concat();
    let block = PayloadBlock {
        lane: 1,
        run_id: 1,
        sequence: record.sequence,
        checksum: RecordBlock::checksum(&bytes),
        bytes: &bytes,
    };
    writer.payload(&block).unwrap();
}

fn records<T: Record>(writer: &mut CaptureWriter<File>, lane: u32, records: &[T]) {
    let bytes = records.as_bytes();
    let block = RecordBlock {
        kind: T::KIND,
        lane,
        run_id: 1,
        sequence: 0,
        record_bytes: T::BYTES,
        checksum: RecordBlock::checksum(bytes),
        bytes,
    };
    writer.records(&block).unwrap();
}

const FIRST: Given = (7, 20, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
const SECOND: Given = (8, 10, [0.5, f32::NAN, f32::INFINITY, -3.0, 4.0, 5.5]);

#[test]
fn tensors_are_listed_with_statistics_and_elements() {
    let folder = Folder::new("list");
    write_run(&folder, "run", &[FIRST, SECOND], None);
    let (code, text) = lanescope(&folder, &["dump", "run", "--stats"]);
    assert_eq!(code, 0, "{text}");
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1][0], "0x0000000000000007");
    let expected = ["24", "0.0", "5.0", "2.500000e0", "0", "0"];
    assert_eq!(lines[1][lines[1].len() - 6..], expected);
    let expected = ["24", "-3.0", "5.5", "1.750000e0", "1", "1"];
    assert_eq!(lines[2][lines[2].len() - 6..], expected);
    let words = ["dump", "run", "--select", "task=8", "--slice", "[1,:2]"];
    let (_, text) = lanescope(&folder, &words);
    assert!(text.ends_with("  [1, 0:2] -3.0 4.0\n"), "{text}");
    let (code, text) = lanescope(&folder, &["dump", "run", "--select", "task=9"]);
    assert_eq!(code, 2, "{text}");
}

#[test]
fn a_tensor_that_lost_its_bytes_is_told_and_ends_with_1() {
    let folder = Folder::new("lost");
    write_run(&folder, "run", &[FIRST, SECOND], Some(8));
    let (code, text) = lanescope(&folder, &["dump", "run"]);
    assert_eq!(code, 1);
    assert_eq!(
        text.matches("overwritten, 24 bytes lost").count(),
        1,
        "{text}"
    );
    let (code, _) = lanescope(&folder, &["export", "run", "--format", "tensor-dump"]);
    assert_eq!(code, 0);
    let dump = folder.0.join("run/tensor_dump");
    let manifest = fs::read_to_string(dump.join("tensor_dump.json")).unwrap();
    assert!(manifest.contains("\"dropped_overwrite\": 1"), "{manifest}");
    let expected = FIRST.2.as_bytes();
    assert_eq!(fs::read(dump.join("tensor_dump.bin")).unwrap(), expected);
    let (code, text) = lanescope(&folder, &["dump", "run", "--npy", "arrays"]);
    assert_eq!((code, count(&folder.0.join("arrays"))), (1, 1), "{text}");
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn the_first_task_in_time_that_differs_is_named() {
    let folder = Folder::new("compare");
    write_run(&folder, "one", &[FIRST, SECOND], None);
    write_run(&folder, "same", &[SECOND, FIRST], None);
    let (code, text) = lanescope(&folder, &["dump", "one", "--compare", "same"]);
    assert_eq!(
        (code, text.as_str()),
        (0, "0 of 2 tensors differ, in 0 tasks\n")
    );
    let (mut first, mut second) = (FIRST, SECOND);
    first.2[0] = 0.25;
    second.2[4] = 4.5;
    write_run(&folder, "other", &[first, second], None);
    let (code, text) = lanescope(&folder, &["dump", "one", "--compare", "other"]);
    assert_eq!(code, 1);
    // Task 8 was read first.
    assert!(
        text.starts_with("first task that differs: 0x0000000000000008"),
        "{text}"
    );
    assert!(text.contains("1 of 6 elements differ"), "{text}");
    assert!(text.contains("first at [1, 1]: 4.0 and 4.5"), "{text}");
    assert!(text.contains("2 of 2 tensors differ, in 2 tasks"), "{text}");
    let words = ["dump", "one", "--compare", "other", "--rtol", "0.2"];
    let (code, text) = lanescope(&folder, &words);
    assert_eq!(code, 1);
    assert!(
        text.starts_with("first task that differs: 0x0000000000000007"),
        "{text}"
    );
    let words = ["dump", "one", "--compare", "other", "--atol", "0.5"];
    assert_eq!(lanescope(&folder, &words).0, 0);
    write_run(&folder, "fewer", &[FIRST], None);
    let (code, text) = lanescope(&folder, &["dump", "one", "--compare", "fewer"]);
    assert_eq!(code, 1);
    assert!(
        text.contains("1 only in the first run, 0 only in the second"),
        "{text}"
    );
    write_run(&folder, "lost", &[FIRST, SECOND], Some(7));
    let (code, text) = lanescope(&folder, &["dump", "one", "--compare", "lost"]);
    assert_eq!(code, 1);
    assert!(text.contains("the bytes of one of them are lost"), "{text}");
}

#[test]
fn counters_are_exported_and_reported() {
    let folder = Folder::new("pmu");
    write_run(&folder, "run", &[FIRST], None);
    let (code, text) = lanescope(
        &folder,
        &["export", "run", "--format", "pmu-csv", "-o", "-"],
    );
    let expected = "thread_id,core_id,task_id,func_id,core_type,pmu_total_cycles,\
        bankgroup_stall_cycles,bank_stall_cycles,vec_resc_conflict_cycles,event_type\n\
        0,0,0x0000000000000007,0,1,500,1,2,3,6\n";
    assert_eq!((code, text.as_str()), (0, expected));
    let (_, text) = lanescope(&folder, &["report", "run"]);
    assert!(text.contains("event type 6 (resource-conflict)"), "{text}");
    assert!(text.contains("swimlane off"), "{text}");
    let (code, text) = lanescope(
        &folder,
        &["export", "run", "--format", "tensor-dump", "-o", "-"],
    );
    assert_eq!(code, 2, "{text}");
}
