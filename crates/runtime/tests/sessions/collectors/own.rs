//! A collector of others in a session: its lanes, its records, its cost, and what is refused.

use super::{graph, open, record};
use crate::fake::{FakeBuild, FakeDevice, Memory};
use lanescope_abi::capture::{CaptureHeader, CommitCounters, LaneConfig, LaneDevice, NO_BUFFER};
use lanescope_abi::{Kind, ReadyEntry, Record};
use lanescope_capture::{CAPTURE_FILE_NAME, CaptureFile, SessionInfo};
use lanescope_platform::Launch;
use lanescope_profiling::{Collector, Findings, LaneSettings, Ledger, SequenceKey};
use lanescope_runtime::{Collectors, OwnCollector, RunOptions};
use std::error::Error;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Depth {
    run_id: u32,
    thread: u32,
    sequence: u64,
    depth: [u64; 6],
}

impl Record for Depth {
    const KIND: Kind = Kind::own(0x123).expect("of others");
    const BYTES: u32 = 64;
}

#[derive(Debug)]
struct Depths {
    kind: Kind,
    settings: LaneSettings,
    ledger: Ledger,
}

impl Collector for Depths {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn record_bytes(&self) -> u32 {
        Depth::BYTES
    }

    fn lanes(&self) -> LaneSettings {
        self.settings
    }

    fn begin(&mut self, session: &SessionInfo) {
        self.ledger = Ledger::of_threads(session);
    }

    fn consume(&mut self, thread: u32, records: &[u8], findings: &mut Findings) {
        for record in <[Depth]>::ref_from_bytes(records).expect("whole records") {
            self.ledger.enter_sequence(thread, key(record), findings);
        }
    }

    fn withdraw(&mut self, thread: u32, records: &[u8]) {
        for record in <[Depth]>::ref_from_bytes(records).expect("whole records") {
            self.ledger.withdraw_sequence(thread, key(record));
        }
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

fn key(record: &Depth) -> SequenceKey {
    SequenceKey {
        run_id: record.run_id,
        thread: record.thread,
        sequence: record.sequence,
    }
}

fn depths(kind: Kind, arena_bytes: u64) -> OwnCollector {
    OwnCollector::new(move || {
        Box::new(Depths {
            kind,
            settings: LaneSettings {
                buffers: 4,
                records_per_buffer: 16,
                arena_bytes,
                ..LaneSettings::default()
            },
            ledger: Ledger::default(),
        })
    })
}

/// What the device does: one record in the lane of thread 0, handed over in its first buffer.
fn commit(memory: &Memory, launch: &Launch) -> Depth {
    let header = memory.header(launch);
    let base = header.capture_address;
    let capture: CaptureHeader = memory.read(base);
    let config = |lane| memory.read::<LaneConfig>(base + capture.lane_configs.at(lane));
    let lane = (0..capture.lane_count).find(|&lane| config(lane).kind == Depth::KIND.raw());
    let lane = lane.expect("a lane of the kind");
    let config = config(lane);
    let record = Depth {
        run_id: header.run_id,
        thread: 0,
        sequence: 0,
        depth: [7; 6],
    };
    memory.write(base + config.buffers_offset_bytes, &record);
    let counters = CommitCounters {
        total: 1,
        ..CommitCounters::default()
    };
    memory.write(
        base + capture.counters.at(lane * header.core_count),
        &counters,
    );
    let entry = ReadyEntry {
        buffer: 0,
        count: 1,
        sequence: 0,
    };
    memory.write(base + config.ready_offset_bytes, &entry);
    let device = LaneDevice {
        ready_tail: 1,
        free_head: 1,
        filling_buffer: NO_BUFFER,
        sequence: 1,
        ..LaneDevice::default()
    };
    memory.write(base + capture.lane_devices.at(lane), &device);
    record
}

#[test]
fn its_records_get_into_the_capture_alone_and_beside_others() {
    for level in [0, 4] {
        let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 2));
        let mut session = open(&device, &build);
        device.set_script(|memory, launch| {
            commit(memory, launch);
            memory.finish(launch, 0);
            Ok(())
        });
        let options = RunOptions {
            capture: Some(build.folder().to_owned()),
            ..record(Collectors {
                own: vec![depths(Depth::KIND, 0)],
                ..Collectors::swimlane(level)
            })
        };
        let cost = session.memory(&options).expect("fits");
        let (kind, bytes) = *cost.collectors.last().expect("it costs something");
        assert_eq!((kind, bytes > 0), (Depth::KIND, true));
        let outcome = session.run(&graph(), &options).expect("runs");
        let verdict = &outcome.verdict;
        let counted = verdict.kinds.iter().find(|row| row.kind == Depth::KIND);
        let counts = &counted.expect("counted").counts;
        assert_eq!((counts.total, counts.collected), (1, 1));
        // What is found is about the tasks, which this device does not run.
        let mut findings = verdict.findings.iter();
        assert!(
            findings.all(|finding| !finding.text.contains("kind-291")),
            "{verdict:?}"
        );

        let file = CaptureFile::open(build.folder().join(CAPTURE_FILE_NAME)).expect("a capture");
        let capture = file.read().expect("readable");
        let run = capture.run(outcome.run_id).expect("decodes");
        let run = run.expect("there");
        let blocks: Vec<_> = run.record_blocks(Depth::KIND).collect();
        assert_eq!(blocks.len(), 1);
        let told = <[Depth]>::ref_from_bytes(blocks[0].payload).expect("whole records");
        assert_eq!((told.len(), told[0].depth), (1, [7; 6]));
        let last = run.session().lanes.last().expect("lanes");
        assert_eq!((last.kind, last.record_bytes), (Depth::KIND, 64));
    }
}

#[test]
fn what_only_kinds_of_the_project_have_is_refused() {
    let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 2));
    let session = open(&device, &build);
    let refused = |own: Vec<OwnCollector>| {
        let options = record(Collectors {
            own,
            ..Collectors::default()
        });
        let refused = session.check(&graph(), &options);
        let refused = refused.expect_err("refused");
        match refused.source() {
            Some(source) => source.to_string(),
            None => refused.to_string(),
        }
    };
    let told = refused(vec![depths(Kind::TASK, 0)]);
    assert_eq!(
        told,
        "own collector: task is a kind of this project, expected 256 or more"
    );
    let told = refused(vec![depths(Depth::KIND, 4096)]);
    assert!(
        told.starts_with("own collector: kind-291 asks for an arena"),
        "{told}"
    );
    // No two of a kind.
    let told = refused(vec![depths(Depth::KIND, 0), depths(Depth::KIND, 0)]);
    assert!(told.contains("kind-291"), "{told}");
}
