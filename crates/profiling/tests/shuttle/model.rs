//! Beds, runs and schedules for the models.

use crate::support::{Bed, DeviceThread, Fate, Sink, ended, record};
use lanescope_abi::capture::Policy;
use lanescope_abi::{Kind, TaskRecord, Token};
use lanescope_capture::{Capture, CaptureWriter, FindingKind};
use lanescope_profiling::{LaneSettings, ProfilingError, Recording, RunEnd, Stopped};
use lanescope_stress::{Effort, Tried};
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::thread::{self, JoinHandle};
use shuttle::{Config, MaxSteps, Runner};
use std::collections::HashSet;
use std::time::Duration;

/// Schedules tried with each seed.
const SCHEDULES: usize = 25;
/// Seeds of each model in CI.
const SEEDS: u64 = 16;
/// Longer than any schedule that ends.
const MAX_STEPS: usize = 500_000;
/// Most records a thread commits in a run.
const MOST_RECORDS: u64 = 7;

/// Runs a model under random schedules with every other seed, under PCT ones with the rest.
pub fn explore(test: &'static str, model: fn()) {
    let effort = Effort::new(test, SEEDS);
    while let Some(seed) = effort.next_seed() {
        let mut config = Config::new();
        config.stack_size = 1 << 18;
        config.max_steps = MaxSteps::FailAfter(MAX_STEPS);
        config.silence_warnings = true;
        config
            .ungraceful_shutdown_config
            .immediately_return_on_panic = true;
        let schedules = if seed % 2 == 0 {
            Runner::new(RandomScheduler::new_from_seed(seed, SCHEDULES), config).run(model)
        } else {
            let depth = 2 + usize::try_from(seed / 2 % 4).unwrap();
            Runner::new(PctScheduler::new_from_seed(seed, depth, SCHEDULES), config).run(model)
        };
        effort.add(Tried::Interleavings, schedules as u64);
    }
}

/// Either, as the schedule has it.
pub fn flip() -> bool {
    thread_rng().gen_range(0..2) == 0
}

/// A number in `0..=most`, as the schedule has it.
pub fn up_to(most: u64) -> u64 {
    thread_rng().gen_range(0..=most)
}

/// A bed of little size: one or two lanes of one to four buffers of two records, two host blocks.
pub fn bed(policy: Policy) -> Bed {
    let threads = 1 + u32::from(flip());
    let settings = LaneSettings {
        buffers: 1 << up_to(2),
        records_per_buffer: 2,
        policy,
        // Time is no part of a schedule.
        block_limit: Duration::from_secs(100_000),
        arena_bytes: 0,
    };
    Bed::with_blocks(flip(), threads, threads, settings, 2)
}

/// Starts a run whose file has room for so many bytes after the session block.
pub fn try_start(bed: &mut Bed, room: u64) -> Result<Recording<Sink>, ProfilingError> {
    bed.run_id += 1;
    let session = bed.session();
    let mut begun = CaptureWriter::new(Sink::default()).unwrap();
    begun.session(&session).unwrap();
    let limit = begun.written_bytes().saturating_add(room);
    let mut writer = CaptureWriter::new(Sink {
        limit: Some(usize::try_from(limit).unwrap()),
        ..Sink::default()
    })
    .unwrap();
    writer.session(&session).unwrap();
    bed.profiler.start(&session, writer)
}

/// One run of the device: each thread commits the records of its one core.
pub struct Work {
    threads: Vec<JoinHandle<Vec<u32>>>,
    run_id: u32,
    counts: Vec<u64>,
    is_orderly: bool,
}

impl Work {
    /// Begins it; an orderly one flushes at its end, any other breaks off.
    pub fn begin(bed: &mut Bed, is_orderly: bool) -> Self {
        let counts: Vec<u64> = (0..bed.threads).map(|_| up_to(MOST_RECORDS)).collect();
        let threads = (0..)
            .zip(&counts)
            .map(|(core, &count)| {
                let records = (0..count).map(|_| bed.record(core)).collect();
                let device = bed.thread(core);
                thread::spawn(move || commit(device, records, is_orderly))
            })
            .collect();
        Self {
            threads,
            run_id: bed.run_id,
            counts,
            is_orderly,
        }
    }

    /// Waits for its end; the tokens of each core whose records found a place in a buffer.
    pub fn wait(&mut self) -> Vec<Vec<u32>> {
        let threads = self.threads.drain(..);
        threads.map(|thread| thread.join().unwrap()).collect()
    }

    /// Records committed by all cores.
    pub fn committed(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// What the host is told of it.
    pub fn end(&self) -> RunEnd {
        RunEnd {
            is_ended: self.is_orderly,
            ..ended(self.counts.clone())
        }
    }
}

fn commit(mut device: DeviceThread, records: Vec<TaskRecord>, is_orderly: bool) -> Vec<u32> {
    let mut placed = Vec::new();
    for record in records {
        if device.commit(&record) == Fate::Placed {
            placed.push(record.token);
        }
    }
    if is_orderly {
        device.flush();
    }
    placed
}

/// The kinds of a verdict's findings.
pub fn kinds(stopped: &Stopped<Sink>) -> HashSet<FindingKind> {
    let findings = stopped.verdict.findings.iter();
    findings.map(|finding| finding.kind).collect()
}

/// Closes the run and reads its records.
pub fn records_of(stopped: &mut Stopped<Sink>, run_id: u32) -> Vec<TaskRecord> {
    let mut writer = stopped.writer.take().unwrap();
    writer.verdict(&stopped.verdict).unwrap();
    writer.end_run(run_id).unwrap();
    let sink = writer.into_inner().unwrap();
    read(&sink, run_id)
}

/// The records of a capture, whose blocks follow each other in every lane.
pub fn read(sink: &Sink, run_id: u32) -> Vec<TaskRecord> {
    let capture = Capture::from_bytes(&sink.bytes).unwrap();
    let run = capture.run(run_id).unwrap().unwrap();
    let mut expected = vec![None; run.session().lanes.len()];
    for block in run.record_blocks(Kind::TASK) {
        let expected = &mut expected[block.header.lane as usize];
        let sequence = block.header.sequence;
        assert!(expected.is_none_or(|expected| expected == sequence));
        *expected = Some(sequence + 1);
    }
    run.task_records().flatten().copied().collect()
}

/// The tokens of each core's records, in the order of the capture; every record is whole.
pub fn tokens_of(records: &[TaskRecord], work: &Work) -> Vec<Vec<u32>> {
    let mut tokens = vec![Vec::new(); work.counts.len()];
    for found in records {
        let token = Token::new(found.token).unwrap();
        assert_eq!(*found, record(work.run_id, u32::from(found.core), token));
        tokens[usize::from(found.core)].push(found.token);
    }
    tokens
}
