//! Nonsense all over what the device writes for every kind of record, payloads too, at any look of the
//! host: nothing of it is believed, and what is exact is what was written.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::{
    Bed, DeviceThread, Moment, Payloads, Puppet, Run, TensorThread, core_type, payload,
};
use lanescope_abi::capture::{CommitCounters, Policy};
use lanescope_abi::hash::{FIELDS, Field};
use lanescope_abi::{Chip, Kind, PhaseRecord, PmuRecord, Record, Section};
use lanescope_capture::{Capture, FindingKind, Outcome};
use lanescope_profiling::{Collector, Dump, LaneSettings, Phases, Pmu, Swimlane};
use lanescope_stress::{Effort, Numbers, Tried};
use std::collections::HashMap;
use std::mem::offset_of;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use zerocopy::FromBytes;

const THREADS: u32 = 2;
const CORES: u32 = 4;
const ARENA: u64 = 4096;
const RECORDS: u32 = 40;

const LANES: LaneSettings = LaneSettings {
    buffers: 4,
    records_per_buffer: 8,
    policy: Policy::Block,
    block_limit: std::time::Duration::from_secs(20),
    arena_bytes: 0,
};

fn bed(is_coherent: bool) -> Bed {
    let arena = LaneSettings {
        arena_bytes: ARENA,
        ..LANES
    };
    let collectors: Vec<Box<dyn Collector>> = vec![
        Box::new(Swimlane::new(LANES)),
        Box::new(Phases::new(LANES)),
        Box::new(Pmu::new(LANES, Chip::A2a3.info())),
        Box::new(Dump::new(arena)),
    ];
    Bed::with_collectors(is_coherent, THREADS, CORES, collectors)
}

/// The device side of the lanes beside the tasks', one AICPU thread.
struct Others {
    phases: DeviceThread,
    pmu: DeviceThread,
    tensors: TensorThread,
    thread: u32,
    phase_sequence: u32,
    /// Tasks of each core that have their counters and tensors.
    followed: [u64; CORES as usize],
    spoil: Option<Spoil>,
}

/// A field of one record that the device writes wrong.
#[derive(Clone, Copy, Debug)]
struct Spoil {
    field: &'static Field,
    number: u64,
}

impl Spoil {
    /// Puts a wrong value into the field's first word, if it is of this structure.
    fn apply<R: Record>(spoil: Option<Self>, structure: &str, record: &mut R) {
        let Some(Self { field, number }) = spoil.filter(|it| it.field.structure == structure)
        else {
            return;
        };
        let bytes = field.bytes.min(8);
        let word = &mut record.as_mut_bytes()[field.offset_bytes..][..bytes];
        let mut right = [0; 8];
        right[..bytes].copy_from_slice(word);
        let right = u64::from_le_bytes(right);
        let wrong = match number {
            0 => right.wrapping_add(1),
            1 => right.wrapping_sub(1),
            2 => !right,
            3 => 0x8000_8000_8000_8080,
            4 => right.wrapping_add(64),
            _ => right.wrapping_add(1 << (8 * bytes - 4)),
        };
        word.copy_from_slice(&wrong.to_le_bytes()[..bytes]);
    }
}
const WRONG_VALUES: u64 = 6;
/// The record of a core, or the phase, that is spoilt.
const SPOILT: u64 = 5;

/// What a device has written beside the tasks: phases by thread and number, counters by core and token,
/// and tensors by core and token with their payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Written {
    phases: HashMap<(u16, u32), ()>,
    counters: HashMap<(u16, u32), ()>,
    tensors: HashMap<(u16, u32), Vec<u8>>,
}

impl Others {
    fn attach(puppet: &Puppet, thread: u32) -> Self {
        let lane = |kind: u32| {
            let memory = puppet.memory.clone();
            let address = memory.address();
            DeviceThread::attach(memory, address, kind * THREADS + thread)
        };
        Self {
            phases: lane(1),
            pmu: lane(2),
            tensors: TensorThread::over(lane(3), puppet.run_id()),
            thread,
            phase_sequence: 0,
            followed: [0; CORES as usize],
            spoil: None,
        }
    }

    /// Follows the tasks that were committed since: a phase, and counters and a tensor of each.
    fn follow(&mut self, puppet: &Puppet, written: &mut Written) {
        let mut phase = PhaseRecord {
            run_id: puppet.run_id(),
            thread: u16::try_from(self.thread).unwrap(),
            sequence: self.phase_sequence,
            ..PhaseRecord::default()
        };
        if u64::from(self.phase_sequence) == SPOILT {
            Spoil::apply(self.spoil, "PhaseRecord", &mut phase);
        }
        self.phase_sequence += 1;
        if commit(&mut self.phases, 0, |lane| lane.place(&phase)) {
            written.phases.insert((phase.thread, phase.sequence), ());
        }
        for core in (self.thread..CORES).step_by(THREADS as usize) {
            let (dispatched, next) = puppet.dispatched(core);
            while self.followed[core as usize] < dispatched {
                let behind = dispatched - self.followed[core as usize];
                let mut token = next;
                (0..behind).for_each(|_| token = token.previous());
                self.follow_task(puppet.run_id(), core, token, written);
                self.followed[core as usize] += 1;
            }
        }
        // The host gives room back for records that it has seen.
        self.tensors.thread.flush();
    }

    fn follow_task(
        &mut self,
        run_id: u32,
        core: u32,
        token: lanescope_abi::Token,
        written: &mut Written,
    ) {
        let core_index = u16::try_from(core).unwrap();
        let key = (core_index, token.raw());
        let spoil = self
            .spoil
            .filter(|_| self.followed[core as usize] == SPOILT);
        let mut counters = PmuRecord {
            core: core_index,
            core_type: core_type(core) as u8,
            token: token.raw(),
            run_id,
            ..PmuRecord::default()
        };
        Spoil::apply(spoil, "PmuRecord", &mut counters);
        if commit(&mut self.pmu, core_index, |lane| lane.place(&counters)) {
            written.counters.insert(key, ());
        }
        let bytes = payload(u64::from(token.raw()), u64::from(token.raw() % 700));
        let has_room = self.tensors.has_room(bytes.len() as u64);
        let tensors = &mut self.tensors;
        let record = tensors.record(core, token, 1, 2);
        if has_room {
            let mut record = tensors.enter(record, &bytes);
            record.tensor_bytes = record.payload_bytes;
            Spoil::apply(spoil, "TensorRecord", &mut record);
            tensors.thread.commit_of(core_index, &record);
            written.tensors.insert(key, bytes);
        } else {
            let lane = &tensors.thread;
            lane.count_one(core_index, offset_of!(CommitCounters, total));
            lane.count_one(core_index, offset_of!(CommitCounters, dropped) + 8);
        }
    }

    fn flush(&mut self) {
        self.phases.flush();
        self.pmu.flush();
        self.tensors.thread.flush();
    }
}

/// Commits without a wait: the host looks in the thread that this is called in.
fn commit(lane: &mut DeviceThread, core: u16, place: impl FnOnce(&mut DeviceThread)) -> bool {
    lane.count_one(core, offset_of!(CommitCounters, total));
    let has_room = lane.has_room();
    if has_room {
        place(lane);
    } else {
        lane.count_one(core, offset_of!(CommitCounters, dropped));
    }
    has_room
}

/// A run with every kind; `harm` may do anything at every look.
fn run(bed: &mut Bed, harm: impl FnMut(&mut Puppet, Moment) + Send + 'static) -> (Run, Written) {
    run_with(bed, None, harm)
}

/// A run with every kind, of which thread 0 spoils some records.
fn run_with(
    bed: &mut Bed,
    spoil: Option<Spoil>,
    mut harm: impl FnMut(&mut Puppet, Moment) + Send + 'static,
) -> (Run, Written) {
    let written = Arc::new(Mutex::new(Written::default()));
    let shared = Arc::clone(&written);
    let mut others: Vec<Others> = Vec::new();
    let run = bed.puppet_run(RECORDS, move |puppet, moment| {
        if others.is_empty() {
            others = (0..THREADS)
                .map(|thread| Others::attach(puppet, thread))
                .collect();
            others[0].spoil = spoil;
        }
        if matches!(moment, Moment::Running | Moment::Last) {
            let mut written = shared.lock().unwrap();
            for thread in &mut others {
                thread.follow(puppet, &mut written);
            }
        }
        if moment == Moment::Last {
            others.iter_mut().for_each(Others::flush);
        }
        harm(puppet, moment);
    });
    let written = written.lock().unwrap().clone();
    (run, written)
}

/// What the capture has of what [`Written`] says.
fn captured(run: &Run) -> Written {
    let mut found = Written::default();
    let capture = Capture::from_bytes(&run.bytes).unwrap();
    let of_run = capture.run(run.verdict.run_id).unwrap().unwrap();
    for block in of_run.record_blocks(Kind::PHASE) {
        for record in <[PhaseRecord]>::ref_from_bytes(block.payload).unwrap() {
            found.phases.insert((record.thread, record.sequence), ());
        }
    }
    for block in of_run.record_blocks(Kind::PMU) {
        for record in <[PmuRecord]>::ref_from_bytes(block.payload).unwrap() {
            found.counters.insert((record.core, record.token), ());
        }
    }
    let payloads = Payloads::of(&run.bytes, run.verdict.run_id);
    for (lane, record) in &payloads.records {
        let bytes = payloads.bytes_of(*lane, record).unwrap_or_default();
        found.tensors.insert((record.core, record.token), bytes);
    }
    found
}

/// Whatever the device wrote: what the verdict says holds for the capture, and it is short.
fn assert_sound(run: &Run, written: &Written, place: &str) {
    let verdict = &run.verdict;
    assert!(verdict.findings.len() <= 15 * 17, "{place}");
    for finding in &verdict.findings {
        assert!(finding.text.len() < 300, "{place}: {}", finding.text);
    }
    let buffers = verdict
        .lanes
        .iter()
        .filter(|lane| lane.kind == Kind::TENSOR);
    let buffers: u64 = buffers.map(|lane| lane.buffers + 1).sum();
    // A lane that could not be read at the end tells of no buffers.
    let buffers = buffers.max(u64::from(THREADS) * 64);
    assert!(run.stats.payload_bytes <= buffers * ARENA, "{place}");
    assert_ne!(verdict.outcome, Outcome::Partial, "{place}");
    if verdict.outcome == Outcome::Exact {
        assert_eq!(verdict.findings, [], "{place}");
        assert_eq!(&captured(run), written, "{place}");
    } else {
        assert!(!verdict.findings.is_empty(), "{place}");
    }
}

/// Every byte of the region that the device writes and the host reads.
fn device_words(bed: &Bed) -> Vec<Range<u64>> {
    let layout = bed.profiler.layout();
    let header = layout.header();
    let section = |section: Section| section.offset_bytes..section.end().unwrap();
    let mut ranges = vec![section(header.lane_devices), section(header.counters)];
    for lane in layout.lanes() {
        let capacity = u64::from(lane.capacity);
        let buffer_bytes = u64::from(lane.records_per_buffer) * u64::from(lane.record_bytes);
        let runs = [
            (lane.ready_offset_bytes, capacity * 16),
            (lane.buffers_offset_bytes, capacity * buffer_bytes),
            (lane.arena_offset_bytes, lane.arena_bytes),
        ];
        let of_lane = runs.map(|(begin, bytes)| begin..begin + bytes);
        ranges.extend(of_lane.into_iter().filter(|range| !range.is_empty()));
    }
    ranges
}

#[test]
fn honest_runs_of_every_kind_are_exact() {
    for is_coherent in [true, false] {
        let mut bed = bed(is_coherent);
        for _ in 0..3 {
            let (honest, written) = run(&mut bed, |_, _| ());
            assert_eq!(honest.verdict.findings, []);
            assert_sound(&honest, &written, "honest");
            assert!(written.tensors.len() > 40 && written.counters.len() > 40);
            let kinds = honest.verdict.kinds.iter().map(|kind| kind.kind);
            assert!(kinds.eq(Kind::ALL));
        }
    }
}

#[test]
fn noise_in_any_lane_is_never_believed() {
    let effort = Effort::new("noise_in_any_lane_is_never_believed", 300);
    while let Some(seed) = effort.next_seed() {
        let mut numbers = Numbers::new(seed);
        let mut bed = bed(numbers.below(2) == 0);
        let ranges = device_words(&bed);
        let words = if numbers.below(3) == 0 { 200 } else { 3 };
        let every = 1 + numbers.below(12);
        for _ in 0..3 {
            let mut numbers = Numbers::new(numbers.draw());
            let ranges = ranges.clone();
            let (run, written) = run(&mut bed, move |puppet, _| {
                if numbers.below(every) != 0 {
                    return;
                }
                for _ in 0..=numbers.below(words) {
                    let range = &ranges[numbers.below(ranges.len())];
                    let offset = range.start + numbers.draw() % ((range.end - range.start) / 4) * 4;
                    let anything = u32::try_from(numbers.draw() >> 32).unwrap();
                    let word = match numbers.below(4) {
                        0 => anything % 10,
                        1 => u32::MAX - anything % 3,
                        2 => 1 << (anything % 32),
                        _ => anything,
                    };
                    puppet.memory.word32(offset).store(word, Ordering::Release);
                }
            });
            assert_sound(&run, &written, &format!("seed {seed}"));
            effort.add(Tried::Runs, 1);
        }
        let (after, written) = honest_lanes_after(&mut bed);
        assert_sound(&after, &written, &format!("after noise of seed {seed}"));
    }
}

/// A run after noise: its lanes are in order, whatever the runs before left; only a counter that was
/// overwritten is never put back.
fn honest_lanes_after(bed: &mut Bed) -> (Run, Written) {
    let (after, written) = run(bed, |_, _| ());
    for finding in &after.verdict.findings {
        assert!(finding.text.contains("ran backwards"), "{}", finding.text);
    }
    (after, written)
}

/// Fields that nothing can be compared with: they are told as they are.
const TOLD: &[(&str, &[&str])] = &[
    (
        "PhaseRecord",
        &[
            "begin_ticks",
            "end_ticks",
            "phase",
            "round",
            "tasks",
            "hits",
            "misses",
            "task_id",
        ],
    ),
    (
        "PmuRecord",
        &["task_id", "func_id", "total_cycles", "counters", "ticks"],
    ),
    // Another stage or argument than was recorded may be right as well.
    (
        "TensorRecord",
        &["task_id", "func_id", "tensor", "stage", "ticks"],
    ),
];

#[test]
fn every_field_of_every_record_is_found_when_it_is_wrong_or_told_as_it_is() {
    let expected = [
        FindingKind::WrongIdentity,
        FindingKind::Duplicate,
        FindingKind::SilentLoss,
        FindingKind::Corruption,
        FindingKind::Overwritten,
    ];
    let mut fields = 0;
    for field in FIELDS {
        let Some((_, told)) = TOLD.iter().find(|(of, _)| *of == field.structure) else {
            continue;
        };
        fields += 1;
        for number in 0..WRONG_VALUES {
            for is_coherent in [true, false] {
                let mut bed = bed(is_coherent);
                let spoil = Some(Spoil { field, number });
                let (spoilt, _) = run_with(&mut bed, spoil, |_, _| ());
                let findings = &spoilt.verdict.findings;
                let place = format!("{spoil:?}, coherent {is_coherent}: {findings:?}");
                if findings.is_empty() {
                    assert!(told.contains(&field.name), "{place}");
                    assert_eq!(spoilt.verdict.outcome, Outcome::Exact, "{place}");
                } else {
                    let is_expected = |found: &FindingKind| expected.contains(found);
                    let mut kinds = findings.iter().map(|finding| finding.kind);
                    assert!(kinds.all(|kind| is_expected(&kind)), "{place}");
                    assert_eq!(spoilt.verdict.outcome, Outcome::Broken, "{place}");
                }
                let (after, written) = run(&mut bed, |_, _| ());
                assert_eq!(after.verdict.findings, [], "after {place}");
                assert_sound(&after, &written, &place);
            }
        }
    }
    assert_eq!(fields, 11 + 10 + 15);
}
