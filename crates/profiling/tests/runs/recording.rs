//! Whole runs on a device of ordinary memory: what is committed is in the capture, and what is not
//! is in the verdict.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::{Bed, Fate, Gate, Sink, ended};
use lanescope_abi::capture::Policy;
use lanescope_abi::{Kind, LaneDevice, TaskRecord};
use lanescope_capture::{Capture, CaptureWriter, FindingKind, Outcome};
use lanescope_profiling::{LaneSettings, ProfilingError, RunEnd, Stopped};
use std::collections::HashSet;
use std::mem::offset_of;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// No run of a thousand records takes so long.
const HANG: Duration = Duration::from_secs(120);

fn small(policy: Policy) -> LaneSettings {
    LaneSettings {
        buffers: 4,
        records_per_buffer: 16,
        policy,
        block_limit: Duration::from_secs(20),
        arena_bytes: 0,
    }
}

/// Closes the run and reads its records back.
fn records_of(stopped: &mut Stopped<Sink>) -> Vec<TaskRecord> {
    let run_id = stopped.verdict.run_id;
    let mut writer = stopped.writer.take().unwrap();
    writer.verdict(&stopped.verdict).unwrap();
    writer.end_run(run_id).unwrap();
    let sink = writer.into_inner().unwrap();
    let capture = Capture::from_bytes(&sink.bytes).unwrap();
    let run = capture.run(run_id).unwrap().unwrap();
    assert!(run.is_ended());
    assert_eq!(run.verdict(), Some(&stopped.verdict));
    let mut sequences = vec![None; run.session().lanes.len()];
    for block in run.record_blocks(Kind::TASK) {
        let before = &mut sequences[block.header.lane as usize];
        assert!(before.is_none_or(|before| before < block.header.sequence));
        *before = Some(block.header.sequence);
    }
    run.task_records().flatten().copied().collect()
}

fn assert_each_once(records: &[TaskRecord]) {
    let keys: HashSet<(u32, u16, u32)> = records
        .iter()
        .map(|record| (record.run_id, record.core, record.token))
        .collect();
    assert_eq!(keys.len(), records.len());
    for record in records {
        assert_eq!(
            record.task_id,
            u64::from(record.core) << 32 | u64::from(record.token)
        );
        assert_eq!(record.finish_ticks, u64::from(record.token) + 4);
    }
}

fn kinds(stopped: &Stopped<Sink>) -> HashSet<FindingKind> {
    stopped
        .verdict
        .findings
        .iter()
        .map(|finding| finding.kind)
        .collect()
}

#[test]
fn every_record_arrives_once_in_each_of_two_runs() {
    for is_coherent in [true, false] {
        let mut bed = Bed::new(is_coherent, 3, 7, small(Policy::Block));
        for (run, count) in [(1, 20_000), (2, 5_003)] {
            let recording = bed.start(Sink::default());
            assert_eq!(recording.run_id(), run);
            let mut threads: Vec<_> = (0..3).map(|thread| bed.thread(thread)).collect();
            let dispatched = bed.commit_round_robin(&mut threads, count);
            for thread in &mut threads {
                thread.flush();
            }
            let mut stopped = recording.stop(&ended(dispatched));
            assert_eq!(stopped.verdict.findings, []);
            assert_eq!(stopped.verdict.outcome, Outcome::Exact);
            assert_eq!(stopped.verdict.totals.collected, count);
            assert_eq!(stopped.verdict.dispatched, count);
            let records = records_of(&mut stopped);
            assert_eq!(records.len() as u64, count);
            assert_each_once(&records);
            assert_eq!(bed.device.behaviour.attached.load(Ordering::Relaxed), 0);
        }
        assert_eq!(bed.device.allocation_count(), 1);
    }
}

#[test]
fn lanes_of_real_threads_are_drained_side_by_side() {
    for is_coherent in [true, false] {
        let mut bed = Bed::new(is_coherent, 4, 4, small(Policy::Block));
        let recording = bed.start(Sink::default());
        std::thread::scope(|scope| {
            for core in 0..4 {
                let mut thread = bed.thread(core);
                let (run_id, mut token) = (bed.run_id, bed.next_tokens[core as usize]);
                scope.spawn(move || {
                    for _ in 0..30_001 {
                        thread.commit(&crate::support::record(run_id, core, token));
                        token = token.next();
                    }
                    thread.flush();
                });
            }
        });
        let mut stopped = recording.stop(&ended(vec![30_001; 4]));
        assert_eq!(stopped.verdict.findings, []);
        assert_eq!(records_of(&mut stopped).len(), 4 * 30_001);
    }
}

#[test]
fn copies_of_a_shadow_stay_within_their_bound() {
    let mut bed = Bed::new(
        false,
        4,
        72,
        LaneSettings {
            buffers: 8,
            records_per_buffer: 256,
            ..LaneSettings::default()
        },
    );
    let first_push = bed.profiler.copied_bytes();
    assert_eq!(first_push, bed.profiler.bytes());
    let recording = bed.start(Sink::default());
    let mut threads: Vec<_> = (0..4).map(|thread| bed.thread(thread)).collect();
    let dispatched = bed.commit_round_robin(&mut threads, 200_000);
    threads
        .iter_mut()
        .for_each(crate::support::DeviceThread::flush);
    let stopped = recording.stop(&ended(dispatched));
    assert_eq!(stopped.verdict.outcome, Outcome::Exact);
    let stats = stopped.stats;
    assert_eq!(stats.record_bytes, 200_000 * 64);
    let allowed = stats.record_bytes * 11 / 10 + stats.ticks_with_news * 8192;
    assert!(stats.copied_bytes <= allowed, "{stats:?}");
    // The first push, two copies for each of two snapshots, one at the end of the run.
    let copies = bed.device.behaviour.copies.load(Ordering::Relaxed) - 6;
    let allowed = stats.ticks + stats.ticks_with_news + 4 * stats.lanes_with_news;
    assert!(copies <= allowed, "{copies} copies, {stats:?}");
}

#[test]
fn a_buffer_comes_back_only_after_its_ready_entry_was_taken() {
    let mut bed = Bed::new(false, 1, 2, small(Policy::Block));
    let layout = bed.profiler.layout();
    let watched = (layout.header().lane_hosts.at(0), layout.lanes()[0].capacity);
    bed.device
        .behaviour
        .watched
        .set(watched)
        .expect("nothing is watched yet");
    let recording = bed.start(Sink::default());
    let mut threads = vec![bed.thread(0)];
    let dispatched = bed.commit_round_robin(&mut threads, 5_000);
    threads[0].flush();
    let stopped = recording.stop(&ended(dispatched));
    assert_eq!(stopped.verdict.outcome, Outcome::Exact);
    let early = bed.device.behaviour.early_returns.load(Ordering::Relaxed);
    assert_eq!(
        early, 0,
        "the device could have found no room in the ready queue"
    );
}

#[test]
fn what_drop_newest_drops_is_accounted_for() {
    for is_coherent in [true, false] {
        let mut bed = Bed::with_blocks(is_coherent, 1, 2, small(Policy::DropNewest), 2);
        let gate = Gate::default();
        let recording = bed.start(Sink {
            gate: gate.clone(),
            ..Sink::default()
        });
        gate.close();
        let mut thread = bed.thread(0);
        let mut dispatched = vec![0, 0];
        let mut dropped = 0;
        // With the file held back, two host blocks and four buffers are all there is room for.
        while dropped < 100 {
            for core in 0..2 {
                dispatched[core as usize] += 1;
                if thread.commit(&bed.record(core)) == Fate::Dropped {
                    dropped += 1;
                }
            }
        }
        gate.open();
        while !thread.is_buffer_free() {
            std::thread::yield_now();
        }
        let late = bed.record(1);
        dispatched[1] += 1;
        assert_eq!(thread.commit(&late), Fate::Placed);
        thread.flush();
        let total: u64 = dispatched.iter().sum();
        let mut stopped = recording.stop(&ended(dispatched));
        assert_eq!(stopped.verdict.outcome, Outcome::Lossy);
        assert_eq!(kinds(&stopped), HashSet::from([FindingKind::Dropped]));
        assert_eq!(stopped.verdict.exit_code(), 1);
        assert_eq!(stopped.verdict.totals.dropped.no_buffer, dropped);
        assert_eq!(stopped.verdict.totals.collected, total - dropped);
        assert!(stopped.stats.host_block_bytes <= 2 * 16 * 64);
        let records = records_of(&mut stopped);
        assert_eq!(records.len() as u64, total - dropped);
        assert_eq!(records.last(), Some(&late));
        assert_each_once(&records);
    }
}

#[test]
fn block_waits_and_loses_nothing() {
    let mut bed = Bed::with_blocks(true, 1, 1, small(Policy::Block), 2);
    let gate = Gate::default();
    let recording = bed.start(Sink {
        gate: gate.clone(),
        ..Sink::default()
    });
    gate.close();
    let mut threads = [bed.thread(0)];
    let (memory, line) = (threads[0].memory.clone(), threads[0].device);
    let opener = std::thread::spawn(move || {
        let begin = Instant::now();
        let waits = memory.word64(line + offset_of!(LaneDevice, waits) as u64);
        while waits.load(Ordering::Relaxed) == 0 {
            assert!(begin.elapsed() < HANG, "the device never waits");
            std::thread::yield_now();
        }
        gate.open();
    });
    let dispatched = bed.commit_round_robin(&mut threads, 1_000);
    threads[0].flush();
    opener.join().unwrap();
    let stopped = recording.stop(&ended(dispatched));
    assert_eq!(stopped.verdict.outcome, Outcome::Exact);
    assert!(stopped.verdict.lanes[0].waits >= 1);
    assert!(stopped.verdict.lanes[0].blocked_ticks > 0);
    assert!(stopped.stats.writer_waits >= 1);
}

#[test]
fn a_block_that_runs_out_is_a_counted_drop() {
    let settings = LaneSettings {
        block_limit: Duration::from_millis(5),
        ..small(Policy::Block)
    };
    let mut bed = Bed::with_blocks(true, 1, 1, settings, 2);
    let gate = Gate::default();
    let recording = bed.start(Sink {
        gate: gate.clone(),
        ..Sink::default()
    });
    gate.close();
    let mut threads = [bed.thread(0)];
    let dispatched = bed.commit_round_robin(&mut threads, 500);
    gate.open();
    threads[0].flush();
    let stopped = recording.stop(&ended(dispatched));
    assert_eq!(stopped.verdict.outcome, Outcome::Lossy);
    let totals = stopped.verdict.totals;
    assert!(totals.dropped.no_buffer > 300);
    // After the wait that ran out, the lane drops without waiting.
    assert!((1..20).contains(&stopped.verdict.lanes[0].waits));
    assert_eq!(totals.accounted(), 500);
}

#[test]
fn a_run_that_does_not_end_yields_what_it_has() {
    for is_coherent in [true, false] {
        let mut bed = Bed::new(is_coherent, 2, 4, small(Policy::Block));
        let recording = bed.start(Sink::default());
        let mut threads: Vec<_> = (0..2).map(|thread| bed.thread(thread)).collect();
        let mut dispatched = bed.commit_round_robin(&mut threads, 100);
        // One core has two tokens in flight, and no thread comes to flush.
        dispatched[3] += 2;
        let abandoned = bed.next_tokens[3];
        bed.next_tokens[3] = abandoned.next().next();
        let mut stopped = recording.stop(&RunEnd {
            device_goes_on: false,
            is_ended: false,
            failure: Some("core 3 did not finish token 9 in time".to_owned()),
            dispatched: Some(dispatched),
            expected_tasks: Some(1_000),
            expected_tensors: None,
        });
        assert_eq!(stopped.verdict.outcome, Outcome::Partial);
        assert_eq!(stopped.verdict.exit_code(), 2);
        assert_eq!(kinds(&stopped), HashSet::from([FindingKind::NotEnded]));
        let tokens: Vec<(u32, u32)> = stopped
            .verdict
            .abandoned
            .iter()
            .map(|abandoned| (abandoned.core, abandoned.token))
            .collect();
        assert_eq!(tokens, [(3, abandoned.raw()), (3, abandoned.next().raw())]);
        let records = records_of(&mut stopped);
        assert_eq!(records.len(), 100);
        assert_each_once(&records);

        // A launch that is refused brings nothing, and nothing twice.
        let recording = bed.start(Sink::default());
        let stopped = recording.stop(&RunEnd::default());
        assert_eq!(stopped.verdict.outcome, Outcome::Partial);
        assert_eq!(stopped.verdict.totals.collected, 0);
        assert_eq!(kinds(&stopped), HashSet::from([FindingKind::NotEnded]));

        // The buffers that were left behind are in use again.
        let recording = bed.start(Sink::default());
        let mut threads: Vec<_> = (0..2).map(|thread| bed.thread(thread)).collect();
        let dispatched = bed.commit_round_robin(&mut threads, 1_000);
        threads
            .iter_mut()
            .for_each(crate::support::DeviceThread::flush);
        let mut stopped = recording.stop(&ended(dispatched));
        assert_eq!(stopped.verdict.findings, []);
        assert_eq!(records_of(&mut stopped).len(), 1_000);
    }
}

#[test]
fn records_that_could_not_be_written_are_not_collected() {
    let mut bed = Bed::new(true, 2, 4, small(Policy::Block));
    let recording = bed.start(Sink {
        limit: Some(40_000),
        ..Sink::default()
    });
    let mut threads: Vec<_> = (0..2).map(|thread| bed.thread(thread)).collect();
    let dispatched = bed.commit_round_robin(&mut threads, 5_000);
    threads
        .iter_mut()
        .for_each(crate::support::DeviceThread::flush);
    let stopped = recording.stop(&ended(dispatched));
    assert!(stopped.write_error.is_some());
    assert_eq!(stopped.verdict.outcome, Outcome::Broken);
    assert!(kinds(&stopped).contains(&FindingKind::WriteFailed));
    let lost = stopped
        .verdict
        .findings
        .iter()
        .find(|finding| finding.kind == FindingKind::WriteFailed)
        .unwrap()
        .count;
    let collected = stopped.verdict.totals.collected;
    assert_eq!(collected + lost, 5_000);
    assert!((1..700).contains(&collected));

    // The next run has a disk again.
    let recording = bed.start(Sink::default());
    let mut threads: Vec<_> = (0..2).map(|thread| bed.thread(thread)).collect();
    let dispatched = bed.commit_round_robin(&mut threads, 1_000);
    threads
        .iter_mut()
        .for_each(crate::support::DeviceThread::flush);
    assert_eq!(
        recording.stop(&ended(dispatched)).verdict.outcome,
        Outcome::Exact
    );
}

#[test]
fn a_device_that_cannot_be_read_is_a_finding_and_not_a_hang() {
    let mut bed = Bed::new(false, 1, 1, small(Policy::Block));
    let recording = bed.start(Sink::default());
    let mut threads = [bed.thread(0)];
    let dispatched = bed.commit_round_robin(&mut threads, 20);
    threads[0].wait_until_drained();
    bed.device.behaviour.is_dead.store(true, Ordering::Relaxed);
    let stopped = recording.stop(&RunEnd {
        failure: Some("the device process ended".to_owned()),
        dispatched: Some(dispatched),
        ..RunEnd::default()
    });
    assert_eq!(stopped.verdict.outcome, Outcome::Partial);
    assert!(kinds(&stopped).contains(&FindingKind::ReadFailed));
    assert_eq!(
        stopped.verdict.totals.collected, 16,
        "what was drained is there"
    );

    let session = bed.session();
    let mut writer = CaptureWriter::new(Sink::default()).unwrap();
    writer.session(&session).unwrap();
    let refused = bed.profiler.start(&session, writer);
    assert!(matches!(refused, Err(ProfilingError::Platform(_))));
    bed.device.behaviour.is_dead.store(false, Ordering::Relaxed);
    bed.start(Sink::default());
}

#[test]
fn one_run_at_a_time_and_only_one_that_fits() {
    let mut bed = Bed::new(true, 1, 2, small(Policy::Block));
    let recording = bed.start(Sink::default());
    let session = bed.session();
    let with_session = |session: &lanescope_capture::SessionInfo| {
        let mut writer = CaptureWriter::new(Sink::default()).unwrap();
        writer.session(session).unwrap();
        writer
    };
    let busy = bed.profiler.start(&session, with_session(&session));
    assert!(matches!(busy, Err(ProfilingError::Busy { run_id: 1 })));
    drop(recording);

    let without = CaptureWriter::new(Sink::default()).unwrap();
    let error = bed.profiler.start(&session, without).unwrap_err();
    assert!(error.to_string().contains("no session block for run 1"));
    for (change, what) in [
        (|s: &mut lanescope_capture::SessionInfo| s.core_types.truncate(1)) as fn(&mut _),
        |s| s.core_to_thread[1] = 1,
        |s| s.first_tokens[0] = 3,
    ]
    .into_iter()
    .zip(["core types: 1", "thread 1, there are 1", "number 3"])
    {
        let mut session = bed.session();
        change(&mut session);
        let error = bed
            .profiler
            .start(&session, with_session(&session))
            .unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
    }
    bed.start(Sink::default());
}

#[test]
fn host_memory_does_not_grow_with_the_run() {
    let mut bed = Bed::with_blocks(true, 2, 4, small(Policy::Block), 8);
    let mut held = Vec::new();
    for count in [2_000, 200_000] {
        let recording = bed.start(std::io::sink());
        let mut threads: Vec<_> = (0..2).map(|thread| bed.thread(thread)).collect();
        let dispatched = bed.commit_round_robin(&mut threads, count);
        threads
            .iter_mut()
            .for_each(crate::support::DeviceThread::flush);
        let stopped = recording.stop(&ended(dispatched));
        assert_eq!(stopped.verdict.outcome, Outcome::Exact);
        held.push(stopped.stats.host_block_bytes);
    }
    assert!(held.iter().all(|&bytes| bytes <= 8 * 16 * 64), "{held:?}");
}
