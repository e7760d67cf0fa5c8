//! Phases, counters and tensors of a capture come back as they were written; what cannot be is noted.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use lanescope_abi::record::{PhaseKind, Record};
use lanescope_abi::{ArenaMark, Checksum, Kind, PhaseRecord, PmuRecord, TensorRecord, TensorShape};
use lanescope_capture::{CaptureWriter, LaneInfo, PayloadBlock, PayloadHeader, RecordBlock};
use lanescope_capture::{SessionInfo, Verdict};
use lanescope_trace::{
    CoreType, Dtype, JoinedPmu, PmuRow, SchedulerPhase, TensorRow, Trace, TraceParts, capture,
};
use std::path::PathBuf;
use zerocopy::IntoBytes;

const RUN: u32 = 3;
const KINDS: [Kind; 4] = [Kind::TASK, Kind::PHASE, Kind::PMU, Kind::TENSOR];

/// A capture under way: two AICPU threads with a lane for each kind, three cores.
struct Case {
    path: PathBuf,
    writer: CaptureWriter<Vec<u8>>,
    sequence: u64,
    records: u64,
}

impl Case {
    fn new(name: &str) -> Self {
        let mut writer = CaptureWriter::new(Vec::new()).unwrap();
        let lanes = KINDS.iter().flat_map(|&kind| {
            [0, 1].map(|thread| LaneInfo {
                kind,
                thread,
                buffers: 4,
                records_per_buffer: 64,
                record_bytes: kind.record_bytes().unwrap(),
                arena_bytes: 4096,
                policy: lanescope_abi::capture::Policy::Block,
            })
        });
        let session = SessionInfo {
            run_id: RUN,
            core_types: vec![CoreType::Aic, CoreType::Aiv, CoreType::Aiv],
            core_to_thread: vec![0, 0, 1],
            thread_count: 2,
            ticks_per_second: 50_000_000,
            swimlane_level: 3,
            pmu_event: 2,
            lanes: lanes.collect(),
            ..SessionInfo::default()
        };
        writer.session(&session).unwrap();
        let name = format!("lanescope-collectors-{}-{name}", std::process::id());
        Self {
            path: std::env::temp_dir().join(name),
            writer,
            sequence: 0,
            records: 0,
        }
    }

    fn records<T: Record>(&mut self, lane: u32, records: &[T]) {
        let bytes = records.as_bytes();
        self.sequence += 1;
        self.records += records.len() as u64;
        let block = RecordBlock {
            kind: T::KIND,
            lane,
            run_id: RUN,
            sequence: self.sequence,
            record_bytes: T::BYTES,
            checksum: RecordBlock::checksum(bytes),
            bytes,
        };
        self.writer.records(&block).unwrap();
    }

    /// The entry of a tensor in the arena of a lane: mark, padded bytes, mark.
    fn payload(&mut self, lane: u32, record: &TensorRecord, bytes: &[u8]) {
        let mut block = PayloadHeader {
            position: record.payload_begin,
            ..PayloadHeader::default()
        }
        .as_bytes()
        .to_vec();
        let opening = ArenaMark {
            sequence: record.sequence,
            payload_begin: record.payload_begin,
            payload_bytes: record.payload_bytes,
            ..ArenaMark::default()
        };
        block.extend(opening.as_bytes());
        block.extend(bytes);
        block.resize(block.len().next_multiple_of(64), 0);
        let closing = ArenaMark {
            checksum: record.checksum,
            ..opening
        };
        block.extend(closing.as_bytes());
        self.raw_payload(lane, &block);
    }

    fn raw_payload(&mut self, lane: u32, bytes: &[u8]) {
        let block = PayloadBlock {
            lane,
            run_id: RUN,
            sequence: 0,
            bytes,
            checksum: RecordBlock::checksum(bytes),
        };
        self.writer.payload(&block).unwrap();
    }

    fn read(mut self) -> Trace {
        let mut verdict = Verdict::new(RUN);
        verdict.totals.total = self.records;
        verdict.totals.collected = self.records;
        self.writer.verdict(&verdict).unwrap();
        self.writer.end_run(RUN).unwrap();
        std::fs::write(&self.path, self.writer.into_inner().unwrap()).unwrap();
        let trace = capture::read(&self.path).unwrap().remove(0);
        // The mapping outlives the name.
        std::fs::remove_file(&self.path).unwrap();
        trace
    }
}

fn notes(trace: &Trace) -> Vec<String> {
    let notes = trace.notes().iter();
    notes
        .map(|note| format!("{} {}", note.count, note.text))
        .collect()
}

fn phase(kind: PhaseKind, sequence: u32, begin_ticks: u64) -> PhaseRecord {
    PhaseRecord {
        begin_ticks,
        end_ticks: begin_ticks + 5,
        sequence,
        run_id: RUN,
        phase: kind as u16,
        round: sequence * 2,
        tasks: 3,
        hits: 4,
        misses: 5,
        task_id: 77,
        ..PhaseRecord::default()
    }
}

#[test]
fn phases_are_those_of_the_scheduler_and_of_the_orchestrator() {
    let mut case = Case::new("phases");
    case.records(
        2,
        &[
            phase(PhaseKind::Dispatch, 0, 100),
            phase(PhaseKind::OrchInsert, 1, 110),
        ],
    );
    case.records(3, &[phase(PhaseKind::Idle, 0, 105)]);
    // Two are missing between the buffers of thread 0.
    case.records(2, &[phase(PhaseKind::Blocked, 4, 130)]);
    let trace = case.read();
    assert_eq!(notes(&trace), [""; 0]);
    let of = |thread| trace.scheduler_phases(thread).collect::<Vec<_>>();
    let dispatch = SchedulerPhase {
        start_ticks: 100,
        end_ticks: 105,
        phase: SchedulerPhase::DISPATCH,
        loop_iter: 0,
        tasks_processed: 3,
        rounds: 1,
        pops: Some((4, 5)),
    };
    assert_eq!(of(0)[0], dispatch);
    let names: Vec<&str> = of(0).iter().map(SchedulerPhase::name).collect();
    assert_eq!(names, ["dispatch", "blocked"]);
    assert_eq!(of(1)[0].name(), "idle");
    assert_eq!(of(1)[0].tasks_processed, 0);
    let orchestrator: Vec<_> = trace.orchestrator_phases(0).collect();
    assert_eq!(orchestrator[0].name(), "orch_insert");
    assert_eq!(
        (orchestrator[0].task_id, orchestrator[0].submit_index),
        (77, 2)
    );
    let losses = trace.phase_losses();
    assert_eq!((losses.len(), losses[0].thread, losses[0].count), (1, 0, 2));
    assert_eq!(losses[0].at_ticks, 130);
    assert_eq!(trace.bounds_ticks(), Some((100, 135)));
}

fn counted(core: u16, token: u32) -> PmuRecord {
    let mut counters = [0; 10];
    counters[3] = token;
    PmuRecord {
        task_id: u64::from(token) << 32,
        func_id: 6,
        core,
        core_type: 1,
        token,
        run_id: RUN,
        total_cycles: 1 << 40,
        counters,
        event: 2,
        ticks: 500 + u64::from(token),
        ..PmuRecord::default()
    }
}

#[test]
fn counters_come_thread_by_thread() {
    let mut case = Case::new("pmu");
    case.records(5, &[counted(2, 16), counted(2, 17)]);
    case.records(4, &[counted(0, 16), counted(1, 20)]);
    let trace = case.read();
    assert_eq!(notes(&trace), [""; 0]);
    assert_eq!(trace.session().pmu_event, Some(2));
    let rows: Vec<PmuRow> = trace.pmu_rows().collect();
    let keys: Vec<_> = rows
        .iter()
        .map(|row| (row.thread, row.core, row.token))
        .collect();
    assert_eq!(keys, [(0, 0, 16), (0, 1, 20), (1, 2, 16), (1, 2, 17)]);
    // The core says its own type.
    assert_eq!(rows[0].core_type, CoreType::Aic);
    assert_eq!((rows[1].counters[3], rows[1].total_cycles), (20, 1 << 40));
    assert_eq!(
        (rows[1].task_id, rows[1].func_id, rows[1].ticks),
        (20 << 32, 6, 520)
    );
}

fn tensor(sequence: u64, begin: u64, bytes: &[u8]) -> TensorRecord {
    let shape = u32::try_from(bytes.len() / 4).unwrap();
    TensorRecord {
        task_id: 9,
        core: 1,
        token: 16,
        run_id: RUN,
        tensor: TensorShape {
            arg_index: 2,
            role: 2,
            dtype: Dtype::Int32 as u8,
            rank: 1,
            shape: [shape, 0, 0, 0, 0],
            raw_shape: [shape, 0, 0, 0, 0],
            strides: [1, 0, 0, 0, 0],
            ..TensorShape::default()
        },
        stage: 1,
        payload_begin: begin,
        payload_bytes: bytes.len() as u64,
        tensor_bytes: bytes.len() as u64,
        sequence,
        checksum: Checksum::of(bytes),
        ticks: 700,
        ..TensorRecord::default()
    }
}

#[test]
fn a_tensor_comes_with_its_bytes_or_without_any() {
    let mut case = Case::new("tensors");
    let bytes: Vec<u8> = (0..100).collect();
    let whole = tensor(0, 4096, &bytes);
    case.payload(7, &whole, &bytes);
    // Its entry was taken by another tensor before it was copied.
    let lapped = tensor(1, 8192, &bytes);
    case.payload(7, &tensor(9, 8192, &bytes), &bytes);
    // One bit is another.
    let changed = tensor(2, 12_288, &bytes);
    let mut other = bytes.clone();
    other[50] ^= 4;
    case.payload(7, &changed, &other);
    let missing = tensor(3, 16_384, &bytes);
    case.records(7, &[whole, lapped, changed, missing]);
    let trace = case.read();
    assert_eq!(notes(&trace), [""; 0]);
    let rows: Vec<TensorRow> = trace.tensors().collect();
    let found: Vec<_> = rows
        .iter()
        .map(|row| trace.payload(row).map(|payload| payload.to_vec()))
        .collect();
    assert_eq!(found, [Some(bytes), None, None, None]);
    let row = &rows[0];
    assert_eq!((row.thread, row.core, row.arg_index), (1, 1, 2));
    assert_eq!((row.dtype, row.shape()), (Some(Dtype::Int32), &[25][..]));
    assert!(row.is_contiguous());
}

#[test]
fn records_with_numbers_that_cannot_be_are_left_out_and_noted() {
    let good = tensor(0, 0, &[1; 8]);
    let wrong: [fn(&mut TensorRecord); 9] = [
        |record| record.core = 3,
        |record| record.stage = 2,
        |record| record.tensor.role = 3,
        |record| record.tensor.rank = 6,
        |record| record.payload_bytes = 7,
        |record| record.tensor_bytes = 9,
        |record| record.tensor.shape[0] = 3,
        |record| record.tensor.dtype = 0xFE & record.tensor.dtype.wrapping_add(6),
        |record| {
            record.tensor.rank = 5;
            record.tensor.shape = [u32::MAX; 5];
        },
    ];
    let mut case = Case::new("wrong");
    let mut records = vec![good];
    for change in wrong {
        let mut record = good;
        change(&mut record);
        records.push(record);
    }
    case.records(6, &records);
    case.records(4, &[counted(9, 16), counted(1, 16)]);
    let mut unknown = phase(PhaseKind::Idle, 0, 10);
    unknown.phase = 9;
    case.records(2, &[unknown, phase(PhaseKind::Idle, 0, 20)]);
    // A lane of another kind, and one that is not there.
    case.records(0, &[counted(0, 17)]);
    case.records(99, &[counted(0, 18), counted(0, 19)]);
    let trace = case.read();
    assert_eq!((trace.tensors().count(), trace.pmu_rows().count()), (1, 1));
    assert_eq!(trace.scheduler_phases(0).count(), 1);
    let notes = notes(&trace);
    for expected in [
        "9 tensor records with numbers that cannot be",
        "1 pmu records with numbers that cannot be",
        "3 pmu records of a lane the session does not have",
        "1 phase records of an unknown phase",
        "1 phase records that came after a later one of their thread",
    ] {
        assert!(
            notes.iter().any(|note| note == expected),
            "{expected}: {notes:?}"
        );
    }
}

#[test]
fn any_bytes_as_records_and_payloads_are_read_without_a_panic() {
    let mut random = 1_u64;
    let mut noise = |bytes: usize| -> Vec<u8> {
        let next = || {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 56) as u8
        };
        std::iter::repeat_with(next).take(bytes).collect()
    };
    for round in 0..20 {
        let mut case = Case::new(&format!("noise{round}"));
        for lane in [6, 7] {
            let bytes = noise(64 * 8);
            case.raw_payload(lane, &bytes);
        }
        let records = |bytes: &[u8]| -> Vec<TensorRecord> {
            let whole = bytes.chunks_exact(192);
            let read = |bytes| zerocopy::FromBytes::read_from_bytes(bytes).unwrap();
            whole.map(read).collect()
        };
        let mut tensors = records(&noise(192 * 20));
        for record in &mut tensors {
            // Close to being believed: only its places are noise.
            let (begin, checksum) = (record.payload_begin, record.checksum);
            *record = tensor(record.sequence, begin, &[0; 400]);
            record.checksum = checksum;
        }
        case.records(6, &tensors);
        let trace = case.read();
        for row in trace.tensors() {
            assert!(trace.payload(&row).is_none(), "round {round}");
        }
        assert_eq!(trace.tensors().count(), 20);
    }
}

fn counted_run(event: u32, tasks: &[(u64, u16, u32)]) -> Trace {
    let row = |&(task_id, core, token): &(u64, u16, u32)| PmuRow {
        task_id,
        core,
        token,
        event,
        total_cycles: u64::from(event) * 1000 + u64::from(core),
        ..PmuRow::default()
    };
    Trace::new(TraceParts {
        pmu: vec![tasks.iter().map(row).collect()],
        ..TraceParts::default()
    })
}

#[test]
fn runs_are_joined_by_task_and_occurrence() {
    // Task 7 has two blocks; they ran on other cores in the second run, and task 8 was lost there.
    let runs = [
        counted_run(2, &[(7, 1, 16), (8, 0, 16), (7, 0, 17)]),
        counted_run(4, &[(7, 5, 16), (7, 2, 16)]),
        counted_run(9, &[]),
    ];
    let joined = JoinedPmu::of(&runs);
    assert_eq!(joined.events, [2, 4]);
    let cores: Vec<_> = joined
        .tasks
        .iter()
        .map(|task| {
            let cores = task.rows.iter().map(|row| row.map(|row| row.core));
            (task.task_id, task.occurrence, cores.collect::<Vec<_>>())
        })
        .collect();
    let expected = [
        (7, 0, vec![Some(0), Some(2)]),
        (7, 1, vec![Some(1), Some(5)]),
        (8, 0, vec![Some(0), None]),
    ];
    assert_eq!(cores, expected);
    assert_eq!(joined.incomplete(), 1);
}
