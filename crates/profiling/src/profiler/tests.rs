//! Commit, flush, drain and write in any order, step by step, with the device's own recorder: each
//! buffer is in one place after every step, and each record in one at the end.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::Drain;
use crate::reconcile::reconcile;
use crate::support::{Bed, ControlRegion, Played, ended};
use crate::sync::mpsc::{self, Receiver, Sender};
use crate::writer::{HostBlock, Outlet, Returned};
use crate::{LaneSettings, RunEnd};
use lanescope_abi::capture::Policy;
use lanescope_abi::{CommitCounters, TaskRecord};
use lanescope_capture::{Capture, CaptureWriter, FindingKind, RecordBlock, SessionInfo, Verdict};
use lanescope_stress::{Effort, Tried, property};
use proptest::prelude::*;
use std::collections::{HashSet, VecDeque};
use std::mem::offset_of;
use std::sync::atomic::Ordering;
use std::time::Duration;
use zerocopy::FromBytes;

/// Cases of each seed.
const CASES: u32 = 16;
const THREADS: u32 = 2;
const CORES: u32 = 4;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A thread commits so many records, on its cores in turn.
    Commit(bool, u32),
    Flush(bool),
    /// The drain makes a pass.
    Tick,
    /// The writer takes a block and writes it, or fails to.
    Write(bool),
}

#[derive(Clone, Debug)]
struct Case {
    is_coherent: bool,
    buffers: u32,
    records_per_buffer: u32,
    host_blocks: u32,
    /// The steps of each run, and whether it ends in order.
    runs: Vec<(Vec<Step>, bool)>,
}

fn case() -> impl Strategy<Value = Case> {
    let step = prop_oneof![
        6 => (any::<bool>(), 1u32..6).prop_map(|(thread, count)| Step::Commit(thread, count)),
        1 => any::<bool>().prop_map(Step::Flush),
        5 => Just(Step::Tick),
        5 => prop::bool::weighted(0.95).prop_map(Step::Write),
    ];
    let runs = prop::collection::vec((prop::collection::vec(step, 0..60), any::<bool>()), 1..4);
    (any::<bool>(), 0u32..4, 1u32..4, 2u32..5, runs).prop_map(
        |(is_coherent, exponent, records_per_buffer, host_blocks, runs)| Case {
            is_coherent,
            buffers: 1 << exponent,
            records_per_buffer,
            host_blocks,
            runs,
        },
    )
}

#[test]
fn nothing_is_lost_doubled_or_leaked_in_any_order_of_steps() {
    let effort = Effort::new(
        "nothing_is_lost_doubled_or_leaked_in_any_order_of_steps",
        20,
    );
    while let Some(seed) = effort.next_seed() {
        let ran = property(seed, CASES).run(&case(), |case| {
            effort.add(Tried::Runs, case.runs.len() as u64);
            check(&case);
            Ok(())
        });
        ran.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
    }
}

fn check(case: &Case) {
    let settings = LaneSettings {
        buffers: case.buffers,
        records_per_buffer: case.records_per_buffer,
        // There is but one thread here, which cannot wait for itself.
        policy: Policy::DropNewest,
        block_limit: Duration::ZERO,
        arena_bytes: 0,
    };
    let mut bed = Bed::with_blocks(case.is_coherent, THREADS, CORES, settings, case.host_blocks);
    let mut drain = bed.profiler.take_drain(0).unwrap();
    for (steps, is_orderly) in &case.runs {
        bed.run_id += 1;
        let session = bed.session();
        drain.begin(&session);
        drain.prepare().unwrap();
        let control = ControlRegion::new(&bed);
        let mut host = Host::new(&mut drain, &session, case.host_blocks);
        let mut model = Model::default();
        control.play(0, |first| {
            control.play(1, |second| {
                for &step in steps {
                    match step {
                        Step::Commit(false, count) => commit(first, count, &mut model, &bed),
                        Step::Commit(true, count) => commit(second, count, &mut model, &bed),
                        Step::Flush(false) => first.flush().unwrap(),
                        Step::Flush(true) => second.flush().unwrap(),
                        Step::Tick => _ = host.tick(&mut model),
                        Step::Write(is_written) => _ = host.write(is_written, &mut model),
                    }
                    bed.assert_buffers_conserved();
                }
                if *is_orderly {
                    first.flush().unwrap();
                    second.flush().unwrap();
                }
            });
        });
        let end = RunEnd {
            is_ended: *is_orderly,
            ..ended(model.dispatched.to_vec())
        };
        let (verdict, file) = host.stop(&session, &end, &mut model);
        judge(&verdict, &file, &model, *is_orderly, bed.run_id);
        bed.assert_buffers_free();
        for (next, dispatched) in bed.next_tokens.iter_mut().zip(model.dispatched) {
            *next = next.advance(dispatched);
        }
    }
}

/// What became of each record, by core and token.
#[derive(Debug, Default)]
struct Model {
    dispatched: [u64; CORES as usize],
    placed: [Vec<u32>; CORES as usize],
    dropped: u64,
    unwritten: HashSet<(u16, u32)>,
}

/// Commits records, each on the core of the thread that has had the fewest.
fn commit(played: &mut Played<'_>, count: u32, model: &mut Model, bed: &Bed) {
    for _ in 0..count {
        let cores = played.cores.iter();
        let core = *cores
            .min_by_key(|&&core| model.dispatched[core as usize])
            .unwrap();
        let index = core as usize;
        let before = dropped(bed, core);
        let token = played.commit(core, model.dispatched[index]).unwrap();
        model.dispatched[index] += 1;
        match dropped(bed, core) - before {
            0 => model.placed[index].push(token.raw()),
            _ => model.dropped += 1,
        }
    }
}

/// Records of a core that the device says it has dropped.
fn dropped(bed: &Bed, core: u32) -> u64 {
    let counters = bed.profiler.layout().header().counters;
    let lane = core % THREADS;
    let field = offset_of!(CommitCounters, dropped) as u64;
    let word = counters.at(lane * CORES + core) + field;
    bed.device.memory().word64(word).load(Ordering::Relaxed)
}

impl Model {
    fn lose(&mut self, records: &[u8]) {
        let records = <[TaskRecord]>::ref_from_bytes(records).unwrap();
        let keys = records.iter().map(|record| (record.core, record.token));
        self.unwritten.extend(keys);
    }

    /// The tokens of a core whose records are in the file.
    fn written(&self, core: u16) -> Vec<u32> {
        let placed = self.placed[usize::from(core)].iter();
        let is_written = |token: &&u32| !self.unwritten.contains(&(core, **token));
        placed.filter(is_written).copied().collect()
    }
}

/// Drain and writer, which take their steps when they are told to.
struct Host<'d> {
    drain: &'d mut Drain,
    outlet: Outlet,
    blocks: Receiver<HostBlock>,
    give_back: Sender<Returned>,
    writer: CaptureWriter<Vec<u8>>,
    /// Blocks on their way to the file, and how many there may be.
    queue: VecDeque<HostBlock>,
    host_blocks: usize,
}

impl<'d> Host<'d> {
    fn new(drain: &'d mut Drain, session: &SessionInfo, host_blocks: u32) -> Self {
        let (full, blocks) = mpsc::channel();
        let (give_back, returned) = mpsc::channel();
        let mut writer = CaptureWriter::new(Vec::new()).unwrap();
        writer.session(session).unwrap();
        Self {
            drain,
            outlet: Outlet {
                full,
                returned,
                write_limit: crate::writer::WRITE_LIMIT,
            },
            blocks,
            give_back,
            writer,
            queue: VecDeque::new(),
            host_blocks: host_blocks as usize,
        }
    }

    fn tick(&mut self, model: &mut Model) -> bool {
        if self.queue.len() == self.host_blocks {
            // The drain would wait for the writer.
            self.write(true, model);
        }
        let lanes = 0..THREADS as usize;
        let has_news = self.drain.tick(lanes, &self.outlet).unwrap();
        self.queue.extend(self.blocks.try_iter());
        has_news
    }

    fn write(&mut self, is_written: bool, model: &mut Model) -> bool {
        let Some(block) = self.queue.pop_front() else {
            return false;
        };
        if is_written {
            let block = RecordBlock {
                kind: block.kind.unwrap(),
                lane: block.lane,
                run_id: block.run_id,
                sequence: block.sequence,
                record_bytes: block.record_bytes,
                bytes: block.contents(),
                checksum: block.checksum,
            };
            self.writer.records(&block).unwrap();
        } else {
            model.lose(block.contents());
        }
        let returned = Returned { block, is_written };
        self.give_back.send(returned).unwrap();
        true
    }

    /// The streams have ended: the last passes, the last blocks, the verdict.
    fn stop(
        mut self,
        session: &SessionInfo,
        end: &RunEnd,
        model: &mut Model,
    ) -> (Verdict, Vec<u8>) {
        while self.tick(model) {}
        while self.write(true, model) {}
        self.drain.finish(&self.outlet, end.device_goes_on).unwrap();
        self.queue.extend(self.blocks.try_iter());
        while self.write(true, model) {}
        self.drain.settle(&self.outlet.returned, None);
        let (reckoning, stats) = self.drain.reckon();
        assert!(stats.host_block_bytes <= self.host_blocks as u64 * 3 * 64);
        let verdict = reconcile(session, end, reckoning);
        self.writer.verdict(&verdict).unwrap();
        self.writer.end_run(session.run_id).unwrap();
        (verdict, self.writer.into_inner().unwrap())
    }
}

fn judge(verdict: &Verdict, file: &[u8], model: &Model, is_orderly: bool, run_id: u32) {
    let unwritten = model.unwritten.len() as u64;
    let mut expected = HashSet::new();
    if !is_orderly {
        expected.insert(FindingKind::NotEnded);
    }
    if model.dropped != 0 {
        expected.insert(FindingKind::Dropped);
    }
    if unwritten != 0 {
        expected.extend([FindingKind::WriteFailed, FindingKind::SilentLoss]);
    }
    let found: HashSet<FindingKind> = verdict.findings.iter().map(|found| found.kind).collect();
    assert_eq!(found, expected, "{:?}", verdict.findings);
    let placed: usize = model.placed.iter().map(Vec::len).sum();
    assert_eq!(verdict.totals.total, model.dispatched.iter().sum::<u64>());
    assert_eq!(verdict.totals.dropped.no_buffer, model.dropped);
    assert_eq!(verdict.totals.collected, placed as u64 - unwritten);

    let capture = Capture::from_bytes(file).unwrap();
    let run = capture.run(run_id).unwrap().unwrap();
    let mut tokens = vec![Vec::new(); CORES as usize];
    for record in run.task_records().flatten() {
        assert_eq!(record.run_id, run_id);
        tokens[usize::from(record.core)].push(record.token);
    }
    for (core, tokens) in (0..).zip(tokens) {
        assert_eq!(tokens, model.written(core), "core {core}");
    }
}
