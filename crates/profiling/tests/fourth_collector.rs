//! A collector of somebody else's: a record type, a lane and a consumer, and no other code.
//!
//! The steps are those of `docs/profiling-framework.md`, by their numbers. It records how deep the ready queue was when an
//! AICPU thread looked at it, beside the swimlane.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use lanescope_abi::capture::Policy;
use lanescope_abi::{Chip, Kind, Record};
use lanescope_aicpu::Control;
use lanescope_aicpu::record::OwnLane;
use lanescope_capture::{Capture, FindingKind, Outcome, SessionInfo, Verdict};
use lanescope_profiling::{
    Collector, Expectation, Findings, LaneSettings, Ledger, SequenceKey, Swimlane,
};
use std::time::Duration;
use support::{Bed, ControlRegion, HostDevice, Sink, ended};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

// 1. The record: plain words, a multiple of 64 bytes, and a kind of its own.

#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
struct QueueDepth {
    ticks: u64,
    run_id: u32,
    thread: u32,
    /// 0, 1, 2 … in the thread and run, dropped ones counted.
    sequence: u64,
    depth: u32,
    reserved: [u32; 9],
}

const QUEUE_DEPTH: Kind = Kind::own(0x100).unwrap();

impl Record for QueueDepth {
    const KIND: Kind = QUEUE_DEPTH;
    const BYTES: u32 = 64;
}

// 2. The consumer: what identifies a record, and how large the lanes are.

#[derive(Debug)]
struct QueueDepths {
    settings: LaneSettings,
    ledger: Ledger,
    deepest: u32,
}

impl QueueDepths {
    fn new(settings: LaneSettings) -> Self {
        Self {
            settings,
            ledger: Ledger::default(),
            deepest: 0,
        }
    }

    fn key(record: &QueueDepth) -> SequenceKey {
        SequenceKey {
            run_id: record.run_id,
            thread: record.thread,
            sequence: record.sequence,
        }
    }
}

impl Collector for QueueDepths {
    fn kind(&self) -> Kind {
        QueueDepth::KIND
    }

    fn record_bytes(&self) -> u32 {
        QueueDepth::BYTES
    }

    fn lanes(&self) -> LaneSettings {
        self.settings
    }

    fn begin(&mut self, session: &SessionInfo) {
        self.ledger = Ledger::of_threads(session);
        self.deepest = 0;
    }

    fn consume(&mut self, thread: u32, records: &[u8], findings: &mut Findings) {
        for record in <[QueueDepth]>::ref_from_bytes(records).unwrap() {
            self.ledger
                .enter_sequence(thread, Self::key(record), findings);
            self.deepest = self.deepest.max(record.depth);
        }
    }

    fn withdraw(&mut self, thread: u32, records: &[u8]) {
        for record in <[QueueDepth]>::ref_from_bytes(records).unwrap() {
            self.ledger.withdraw_sequence(thread, Self::key(record));
        }
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    // 3. What there must be of it: the device alone knows.

    fn expectation(&self) -> Expectation {
        Expectation::Unknown
    }
}

// 4. The device: a lane of its own beside the recorder's.

/// What thread `thread` records of run `run_id`; `skipped` is a number that it leaves out.
fn record_depths(control: &ControlRegion, thread: u32, count: u64, skipped: Option<u64>) {
    let device = HostDevice;
    // SAFETY: the region was laid out for this run and lives as long as `control`.
    let attached = unsafe { Control::attach(&device, control.address(), Chip::A2a3, 2) };
    let attached = attached.unwrap();
    let mut lane = OwnLane::<_, QueueDepth>::attach(&attached, thread).unwrap();
    for sequence in (0..count).filter(|&sequence| Some(sequence) != skipped) {
        let record = QueueDepth {
            ticks: sequence,
            run_id: attached.header().run_id,
            thread,
            sequence,
            depth: u32::try_from(sequence % 40).unwrap(),
            ..QueueDepth::default()
        };
        // Records of a thread are counted with core 0.
        assert!(lane.commit(0, &record).unwrap());
    }
    lane.flush().unwrap();
}

// 5. Wire it up: behind the swimlane, so its lanes come after those.

const LANES: LaneSettings = LaneSettings {
    buffers: 4,
    records_per_buffer: 16,
    policy: Policy::Block,
    block_limit: Duration::from_secs(20),
    arena_bytes: 0,
};

fn bed(is_coherent: bool) -> Bed {
    let collectors: Vec<Box<dyn Collector>> = vec![
        Box::new(Swimlane::new(LANES)),
        Box::new(QueueDepths::new(LANES)),
    ];
    Bed::with_collectors(is_coherent, 2, 4, collectors)
}

/// A run with `tasks` tasks and `depths` records of ours on each thread; its verdict, and our records.
fn run(
    bed: &mut Bed,
    tasks: u64,
    depths: u64,
    skipped: Option<u64>,
) -> (Verdict, Vec<Vec<QueueDepth>>) {
    let recording = bed.start(Sink::default());
    let control = ControlRegion::new(bed);
    let mut dispatched = vec![0; 4];
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|thread| {
                let control = &control;
                scope.spawn(move || {
                    record_depths(control, thread, depths, skipped);
                    control.run_thread(thread, tasks, true)
                })
            })
            .collect();
        for thread in threads {
            for (sum, part) in dispatched.iter_mut().zip(thread.join().unwrap()) {
                *sum += part;
            }
        }
    });
    for (token, count) in bed.next_tokens.iter_mut().zip(&dispatched) {
        *token = token.advance(*count);
    }
    let stopped = recording.stop(&ended(dispatched));
    let file = stopped.writer.unwrap().into_inner().unwrap().bytes;
    // 6. Read it: the blocks of its kind, thread by thread.
    let capture = Capture::from_bytes(&file).unwrap();
    let captured = capture.run(bed.run_id).unwrap().unwrap();
    let lane = captured.session().lanes.iter();
    assert_eq!(lane.filter(|lane| lane.kind == QUEUE_DEPTH).count(), 2);
    let mut records = vec![Vec::new(), Vec::new()];
    for block in captured.record_blocks(QUEUE_DEPTH) {
        let thread = block.header.lane as usize - 2;
        let of_block = <[QueueDepth]>::ref_from_bytes(block.payload).unwrap();
        records[thread].extend_from_slice(of_block);
    }
    (stopped.verdict, records)
}

// 7. Prove it: what was written is there, and what was not is found.

#[test]
fn a_collector_of_others_is_exact_from_the_device_to_the_verdict() {
    for is_coherent in [true, false] {
        let mut bed = bed(is_coherent);
        for (tasks, depths) in [(500, 1000), (3, 0), (0, 5)] {
            let (verdict, records) = run(&mut bed, tasks, depths, None);
            assert_eq!(verdict.findings, []);
            assert_eq!(verdict.outcome, Outcome::Exact);
            let counted: Vec<_> = (verdict.kinds.iter())
                .map(|kind| (kind.kind, kind.counts.total, kind.counts.collected))
                .collect();
            let expected = [
                (Kind::TASK, 2 * tasks, 2 * tasks),
                (QUEUE_DEPTH, 2 * depths, 2 * depths),
            ];
            assert_eq!(counted, expected);
            for (thread, records) in (0..).zip(&records) {
                let told = records
                    .iter()
                    .map(|record| (record.thread, record.sequence));
                let written = (0..depths).map(|sequence| (thread, sequence));
                assert!(told.eq(written), "thread {thread}");
            }
            let own = verdict.cores.iter().filter(|row| row.kind == QUEUE_DEPTH);
            assert!(own.clone().all(|row| row.core.is_none()));
            assert_eq!(own.count(), if depths == 0 { 0 } else { 2 });
            assert!(verdict.to_json().contains("\"kind\": \"kind-256\""));
        }
    }
}

#[test]
fn a_number_that_is_missing_is_found() {
    let (verdict, _) = run(&mut bed(true), 10, 50, Some(17));
    let kinds: Vec<FindingKind> = (verdict.findings.iter())
        .map(|finding| finding.kind)
        .collect();
    assert_eq!(kinds, [FindingKind::WrongIdentity; 2]);
    let text = &verdict.findings[0].text;
    assert!(text.contains("lane kind-256 of thread 0"), "{text}");
    assert!(text.contains("number 50, only 49 were committed"), "{text}");
    assert_eq!(verdict.outcome, Outcome::Broken);
}
